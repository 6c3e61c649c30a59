"""The memory that the main process and its workers share: one row per game."""

import mmap
import os
import tempfile
from typing import NamedTuple

import numpy as np

from cohort.envs.workers.game import GameSpec

_ALIGNMENT = 64  # bytes; every field begins on a cache line of its own


class Field(NamedTuple):
    """Where one array lies in the block."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    start: int  # bytes
    stop: int


def anonymous_file() -> int:
    """A descriptor of memory without a name: it is gone with the last process that has it, however that one ends."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("games")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Block:
    """The arrays of B games in one piece of shared memory: results first, so that they can be copied as one.

    Attributes:
        results: [bytes] uint8, everything but the actions.
        result_fields: where each array lies in `results`.
        obs, state, available_actions, reward, terminated, truncated, spoiled, actions: arrays [B, ...].
        info: [K, B] float32, one row per name in `GameSpec.info_keys`.
    """

    obs: np.ndarray
    state: np.ndarray
    available_actions: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    spoiled: np.ndarray
    info: np.ndarray
    actions: np.ndarray

    def __init__(self, descriptor: int, spec: GameSpec, batch_size: int) -> None:
        """Map the memory behind `descriptor`, which is made larger if need be."""
        fields = _fields(spec, batch_size)
        size = max(fields[-1].stop, 1)
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
        everything = np.frombuffer(mmap.mmap(descriptor, size), dtype=np.uint8)
        for field in fields:
            array = everything[field.start : field.stop].view(field.dtype).reshape(field.shape)
            setattr(self, field.name, array)
        self.result_fields = fields[:-1]
        self.results = everything[: self.result_fields[-1].stop]


def _fields(spec: GameSpec, games: int) -> list[Field]:
    agents = spec.n_agents
    each = (games,) if spec.common_reward else (games, agents)
    acts = ((games, agents, spec.action_dim), np.float32) if spec.action_dim else ((games, agents), np.int64)
    fields: list[Field] = []
    for name, shape, dtype in (
        ("obs", (games, agents, spec.obs_dim), np.uint8 if spec.picture else np.float32),
        ("state", (games, spec.state_dim), np.uint8 if spec.state_in_bytes else np.float32),
        ("available_actions", (games, agents, spec.n_actions), np.bool_),
        ("reward", each, np.float32),
        ("terminated", (games,), np.bool_),
        ("truncated", (games,), np.bool_),
        ("spoiled", (games,), np.bool_),
        ("info", (len(spec.info_keys), games), np.float32),
        ("actions", *acts),
    ):
        start = -(-fields[-1].stop // _ALIGNMENT) * _ALIGNMENT if fields else 0
        kind = np.dtype(dtype)
        fields.append(Field(name, shape, kind, start, start + int(np.prod(shape)) * kind.itemsize))
    return fields
