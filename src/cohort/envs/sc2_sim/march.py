"""Where enemies go who have nobody to fight: what the map ordered them at the start."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE, MapFacts
from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.sc2_sim.planes import NOWHERE

# The stream's step that decides the goal: weapons use the steps from 0 on, the spawner uses -1.
_GOAL_STEP = -2


class March:
    """The goal of one map's enemies, which may differ between episodes.

    Attributes:
        start, stretch: [2, 1, 1] the segment on which an episode's goal lies is `start` to `start + stretch`.
    """

    def __init__(self, facts: MapFacts, device: torch.device) -> None:
        first, last = facts.enemy_goals or ((NOWHERE, NOWHERE), (NOWHERE, NOWHERE))
        self.start = torch.tensor(first, device=device).view(2, 1, 1) - CENTRE
        self.stretch = torch.tensor(last, device=device).view(2, 1, 1) - CENTRE - self.start
        self.random, self.lane = first != last, torch.zeros(1, dtype=torch.int64, device=device)

    def goal(self, keys: Tensor) -> Tensor:
        """[2, B, 1] of the episodes with random streams `keys` [B] ([2, 1, 1] where all share it)."""
        if not self.random:
            return self.start
        return self.start + self.stretch * uniform(keys, torch.full_like(keys, _GOAL_STEP), self.lane)
