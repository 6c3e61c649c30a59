"""Damage points: a weapon aims before it fires, and whoever loses its aim before keeps the shot."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, UnitConstants

NEVER = 1e9  # ticks: the aim of whoever takes none


class WindUp:
    """The rule of one map, for a tensor [B, U] of the ticks in which each unit's aimed shot leaves.

    A unit takes aim when its target is in reach and its weapon will be loaded by the time the aim is complete, so that
    standing shooters fire once in a cooldown. Until it fires, its target may leave the range by the weapon's slop.
    """

    def __init__(self, constants: UnitConstants, ticks: int) -> None:
        steps = torch.arange(ticks, device=constants.damage_point.device).view(-1, 1, 1)
        self._never = torch.tensor(NEVER, device=steps.device)
        # a shot leaves in the tick nearest to when it is due
        complete = steps + (constants.damage_point - 0.5).ceil().clamp_min(0)
        self.complete = complete.unbind(0)  # the tick in which fires whoever takes aim in tick t
        self.loaded = (complete + 0.5).unbind(0)  # if its weapon is loaded by then

    @staticmethod
    def needed(constants: UnitConstants) -> bool:
        """Whether any weapon of the map takes a tick or more to aim."""
        return any(unit.damage_point * TICKS_PER_SECOND >= 1 for unit in constants.units)

    def take(self, aimed: Tensor, reached: Tensor, cooldown: Tensor, tick: int) -> tuple[Tensor, Tensor]:
        """Who aims after a tick, bool, and when those will fire, both [B, U], from whose target is in reach.

        Those aim who are in reach and loaded in time. The others give it up.
        """
        aims = (cooldown <= self.loaded[tick]).logical_and_(reached)
        return aims, torch.where(aims, torch.minimum(aimed, self.complete[tick]), self._never)
