"""Damage points: a weapon aims before it fires, and whoever loses its aim before keeps the shot."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import UnitConstants

NEVER = 1e9  # ticks: the aim of whoever takes none


class WindUp:
    """The rule of one map, for a tensor [B, U] of the ticks at which each unit's aim is complete.

    A unit takes aim when its target is in reach and its weapon will be loaded by the time the aim is complete, so that
    standing shooters fire once in a cooldown. Until it fires, its target may leave the range by the weapon's slop.
    """

    def __init__(self, constants: UnitConstants, ticks: int) -> None:
        steps = torch.arange(ticks + 1, device=constants.damage_point.device).view(-1, 1, 1)
        self._never = torch.tensor(NEVER, device=steps.device)
        self.complete = (steps + constants.damage_point).unbind(0)  # for whoever takes aim in tick t

    @staticmethod
    def needed(constants: UnitConstants) -> bool:
        """Whether any weapon of the map takes a tick or more to aim."""
        return bool((constants.damage_point >= 1).any())

    def take(self, aimed: Tensor, reached: Tensor, cooldown: Tensor, tick: int) -> tuple[Tensor, Tensor]:
        """Who aims after a tick, bool, and `aimed` then, all [B, U].

        Those do who are in reach and loaded in time. The others give it up.
        """
        complete = self.complete[tick]
        loaded = cooldown < self.complete[tick + 1]  # by the time that an aim begun in this tick is complete
        aims = loaded.logical_and_(reached)
        return aims, torch.where(aims, torch.minimum(aimed, complete), self._never)
