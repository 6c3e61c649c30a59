"""How episodes begin: the units' places, the streams of randomness, and what is seen first."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cohort.envs.base import Observation
from cohort.envs.sc2_sim.battle import Course
from cohort.envs.sc2_sim.noise import episode_keys
from cohort.envs.sc2_sim.spawn import Spawner


class Start(NamedTuple):
    """The beginning of one episode in each of B games."""

    keys: Tensor  # [B] int64 random streams
    units: Tensor  # [P, B, U] planes; [P, 1, U] where all begin alike
    course: Course  # of battles that begin, [B, ...] or [1, ...]
    sight: Observation  # [B, ...]; [1, ...] where all begin alike
    tables: tuple[Tensor, ...]  # what of the rules each episode has for itself


class Starts:
    """The start that each of B games has next.

    Games end one by one, and a start costs as many operations for one game as for all. So all games' are prepared as
    soon as one is needed, and picked from until a game needs its second.
    """

    def __init__(
        self,
        spawner: Spawner,
        begin: Callable[[Tensor, Tensor], tuple[Course, Observation, tuple[Tensor, ...]]],
        game_keys: Tensor,
    ) -> None:
        """`begin` says what else begins with units [P, B, U] and streams [B]; `game_keys` [B] are the games'."""
        self._spawner, self._begin, self._game_keys = spawner, begin, game_keys
        self._prepared = torch.full_like(game_keys, -1)  # the episode whose start is ready
        self._next: Start | None = None

    def next(self, episode: Tensor, needed: Tensor) -> Start:
        """The starts of each game's `episode` [B] int64, right at least for the games that are `needed` [B] bool."""
        on_cpu = needed.device.type == "cpu"  # elsewhere the question costs more than the answer
        if self._next is None or not on_cpu or bool((needed & (self._prepared != episode)).any()):
            self._next, self._prepared = self._prepare(episode), episode
        return self._next

    def _prepare(self, episode: Tensor) -> Start:
        keys = episode_keys(self._game_keys, episode)
        if self._next is not None and not self._spawner.noise:
            return self._next._replace(keys=keys)
        units = self._spawner.place(keys)
        return Start(keys, units, *self._begin(units, keys))
