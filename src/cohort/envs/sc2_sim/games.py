"""What B battles remember, and what a picture may look at."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from cohort.envs.base import EnvSpec
from cohort.envs.sc2_sim.battle import Battle, Course
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.observe import Observer
from cohort.envs.sc2_sim.settings import BattleSettings


class Games(NamedTuple):
    """All that B games remember of the past."""

    units: Tensor  # [P, B, U] planes of battle.py
    target: Tensor  # [B, U]; this and the next three are the battle's `Course`
    aimed: Tensor  # [B, U] or [B, 0]
    pace: Tensor  # [B, M]
    pending: Tensor  # [B, K * HORIZON * U] or [B, 0]
    actions: Tensor  # [B, N] int64 last actions, -1 at the start
    t: Tensor  # [B] int64 steps of this episode
    episode: Tensor  # [B] int64 number of this episode, -1 before the first
    keys: Tensor  # [B] int64 random streams of this episode
    memory: Tensor  # [B, W] what the eyes need of the past beside all this; W is 0 for SMAC's
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool

    @property
    def course(self) -> Course:
        """What the battles go on with."""
        return Course(self.target, self.aimed, self.pace, self.pending)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All games of `parts`, one after the other."""
        return cls(*(torch.cat(each, dim) for each, dim in zip(zip(*parts, strict=True), _DIM, strict=True)))

    def split(self, sizes: list[int]) -> Iterator[Self]:
        """The way back: so many games each."""
        cut = (each.split(sizes, dim) for each, dim in zip(self, _DIM, strict=True))
        return map(type(self)._make, zip(*cut, strict=True))


_DIM = [1 if name == "units" else 0 for name in Games._fields]  # that of the games


class Drawable(Protocol):
    """What pictures read of an environment: `SC2Sim` is one."""

    settings: BattleSettings
    batch_size: int
    spec: EnvSpec
    facts: MapFacts
    battle: Battle
    observer: Observer
    games: Games
