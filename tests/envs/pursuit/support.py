"""Pursuit as its YAML file makes it, with units and evaders' moves that a test chooses."""

from typing import Any

import torch

from cohort.envs.pursuit.env import Pursuit
from tests.envs.particles.support import arguments

LEFT, RIGHT, UP, DOWN, STAY = range(5)


class Driven(Pursuit):
    """Its evaders move as `moves` [B, E] says."""

    moves: torch.Tensor | None = None

    def evader_moves(self) -> torch.Tensor:
        return super().evader_moves() if self.moves is None else self.moves


def make(batch_size: int = 1, seed: int = 1, cls: type[Pursuit] = Driven, **changed: Any) -> Pursuit:
    return cls(cls.Settings(**arguments("pursuit", **changed)), batch_size=batch_size, seed=seed)


def put(env: Pursuit, pursuers: list, evaders: list, t: int = 0) -> Pursuit:
    """Place everybody, as (x, y) of one game or of every game; None for an evader that was caught."""
    state = env.state_dict()
    for name, places in (("pursuers", pursuers), ("evaders", evaders)):
        games = places if isinstance(places[0], list) else [places]
        state[name] = torch.tensor([[cell(env, place) for place in game] for game in games])
    env.load_state_dict(state | {"t": t})
    return env


def cell(env: Pursuit, place: tuple[int, int] | None) -> int:
    if place is None:
        return env.board.nowhere
    return int(env.board.cells(*map(torch.tensor, place)))


def places(env: Pursuit, name: str, game: int = 0) -> list[tuple[int, int] | None]:
    """Where all are: (x, y), or None for an evader that was caught."""
    cells = getattr(env.scene, name)[game].tolist()
    return [
        None if each == env.board.nowhere else (int(env.board.x[each]), int(env.board.y[each]))
        for each in cells
    ]


def stay(env: Pursuit) -> torch.Tensor:
    return torch.full((env.batch_size, env.spec.n_agents), STAY)
