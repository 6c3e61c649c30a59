"""Where enemies go who have nobody to fight: what the map ordered them at the start."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE, MapFacts
from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.sc2_sim.planes import NOWHERE
from cohort.envs.sc2_sim.settings import BattleSettings
from cohort.envs.sc2_sim.spawn import start_positions

_COMPACT = (
    6.0  # metres, a group's largest width that keeps its formation (Core.SC2Mod: MixedFormationDiameter)
)

# The stream's step that decides the goal: weapons use the steps from 0 on, the spawner uses -1.
_GOAL_STEP = -2


class March:
    """The goals of one map's enemies, which may differ between episodes.

    One order to a compact group gives everybody a goal of its own, so that the group keeps its formation; in a wider
    one all share the same goal.

    Attributes:
        start, stretch: [2, 1, 1] the segment on which an episode's goal lies is `start` to `start + stretch`.
        places: [2, 1, E] each enemy's goal less that of the group.
    """

    def __init__(self, facts: MapFacts, settings: BattleSettings, radius: Tensor) -> None:
        """For enemies with these radii [E]."""
        device = radius.device
        first, last = facts.enemy_goals or ((NOWHERE, NOWHERE), (NOWHERE, NOWHERE))
        self.start = torch.tensor(first, device=device).view(2, 1, 1) - CENTRE
        self.stretch = torch.tensor(last, device=device).view(2, 1, 1) - CENTRE - self.start
        self.random, self.lane = first != last, torch.zeros(1, dtype=torch.int64, device=device)
        self.places = torch.zeros(2, 1, facts.n_enemies, device=device)
        if facts.enemy_goals:
            position = torch.from_numpy(start_positions(facts, settings.enemy_spawn_spacing)).to(device)
            self.places = formation(position[:, facts.n_agents :], radius).unsqueeze(1)

    def goals(self, keys: Tensor) -> Tensor:
        """[2, B, E] of the episodes with random streams `keys` [B] ([2, 1, E] where all share them)."""
        goal = self.start
        if self.random:
            goal = goal + self.stretch * uniform(keys, torch.full_like(keys, _GOAL_STEP), self.lane)
        return goal + self.places


def formation(position: Tensor, radius: Tensor) -> Tensor:
    """Each unit's place [2, U] in its group, relative to the middle: zero in a group that is not compact."""
    low, high = (position - radius).amin(1), (position + radius).amax(1)
    compact = bool((high - low <= _COMPACT).all())
    return (position - position.mean(1, keepdim=True)) * compact
