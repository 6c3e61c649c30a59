"""Medivacs: whom they heal, and what it costs them."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.sc2_sim.vectors import length2

# Liberty.SC2Mod, MedivacHeal: DrainVitalCostFactor, and AutoCastRange between centres
_ENERGY_PER_HEALTH = 0.33
_NOTICE = 6.0


class Healing:
    """The rule of one map with M medivacs on both sides, whose energy is a tensor [B, M].

    Where teams are drawn, M is U: any unit may be a medivac, and who is none heals nothing.

    Attributes:
        medics: [M] int64 units.
    """

    def __init__(self, constants: UnitConstants, n_allies: int) -> None:
        self._is_medic, self.medics = constants.medic, constants.who(constants.medic)
        self._slot = self.medics.new_zeros(constants.n_units)  # [U] which medivac a unit is
        self._slot[self.medics] = torch.arange(len(self.medics), device=self.medics.device)
        self.full_health, self.heals = constants.health, constants.affects.index_select(-2, self.medics)

        def each(table: Tensor) -> Tensor:
            return table.index_select(-1, self.medics)

        self.dose, self.thrust = each(constants.dose), each(constants.thrust)
        self.full_energy, self.recovery = each(constants.full_energy), each(constants.recovery)
        self.top_speed = each(constants.stride)
        self.unordered = self.medics >= n_allies  # these choose their patients themselves

    def choose(
        self, position: Tensor, health: Tensor, target: Tensor, engaged: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give medivacs without orders their patients: of those nearby the one with the least of its health left.

        Args:
            position: [2, B, U].
            health: [B, U].
            target, engaged: [B, U] whom everybody acts on so far, and whether on anybody.

        Returns:
            `target` and `engaged` with the entries of these medivacs replaced.
        """
        gap = position.unsqueeze(2) - position.index_select(2, self.medics).unsqueeze(3)  # [2, B, M, U]
        left = (health / self.full_health).unsqueeze(1)
        seen = (length2(gap) <= _NOTICE**2) & (left < 1) & self.heals
        weakest, patient = left.expand_as(seen).masked_fill(~seen, torch.inf).min(2)
        patient = torch.where(self.unordered, patient, target.index_select(1, self.medics))
        found = torch.where(self.unordered, weakest < torch.inf, engaged.index_select(1, self.medics))
        return self.put(patient, target), self.put(found, engaged)

    def put(self, values: Tensor, units: Tensor) -> Tensor:
        """`units` [B, U] with the medivacs' entries replaced by `values` [B, M]."""
        # Not `index_copy`: the compiler does that in place, on memory that the next tick still needs.
        return torch.where(self._is_medic, values.index_select(1, self._slot), units)

    def treat(self, health: Tensor, energy: Tensor, target: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        """Health [B, U] and energy [B, M] after one tick of all whose patient is reached [B, U]."""
        patient = target.index_select(1, self.medics)
        missing = (self.full_health - health).gather(1, patient)
        dose = torch.minimum(energy / _ENERGY_PER_HEALTH, self.dose).minimum(missing)
        dose = dose * reached.index_select(1, self.medics)
        health = health.scatter_add(1, patient, dose).minimum(self.full_health)
        energy = torch.add(energy, dose, alpha=-_ENERGY_PER_HEALTH) + self.recovery
        return health, energy.minimum(self.full_energy)

    def accelerate(self, pace: Tensor, step: Tensor) -> Tensor:
        """Metres per tick [B, M] that medivacs are capable of next, who just made a `step` [2, B, U].

        Whoever stands begins anew.
        """
        moved = step.index_select(2, self.medics).any(0)
        return torch.where(moved, pace + self.thrust, self.thrust).minimum(self.top_speed)
