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

    def __init__(self, constants: UnitConstants, first: int) -> None:
        """Medivacs from unit number `first` on choose their patients themselves, among the units from there on."""
        self._is_medic, self.medics = constants.medic, constants.who(constants.medic)
        self._anybody = constants.medic.dim() > 1
        self._slot = self._slots(self.medics, constants.n_units)
        self._units = torch.arange(constants.n_units, device=self.medics.device)
        self.full_health, self._first = constants.health, first
        self._choosers = self.medics[self.medics >= first]
        self._chooses = self._is_medic & (self._units >= first)
        self._choice = self._slots(self._choosers, constants.n_units)
        self._heals = constants.affects.index_select(-2, self._choosers)[..., first:]
        self.dose, self.thrust = self.of(constants.dose), self.of(constants.thrust)
        self.full_energy, self.recovery = self.of(constants.full_energy), self.of(constants.recovery)
        self.top_speed = self.of(constants.stride)

    @staticmethod
    def _slots(numbers: Tensor, n_units: int) -> Tensor:
        """[U] where in `numbers` a unit is, 0 for those who are not."""
        slots = numbers.new_zeros(n_units)
        slots[numbers] = torch.arange(len(numbers), device=numbers.device)
        return slots

    def of(self, units: Tensor) -> Tensor:
        """The medivacs' part [..., M] of all units' [..., U]."""
        return units if self._anybody else units.index_select(-1, self.medics)

    def put(self, values: Tensor, units: Tensor) -> Tensor:
        """`units` [B, U] with the medivacs' entries replaced by `values` [B, M]."""
        # Not `index_copy`: the compiler does that in place, on memory that the next tick still needs.
        return torch.where(
            self._is_medic, values if self._anybody else values.index_select(1, self._slot), units
        )

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
        if not len(self._choosers):
            return target, engaged
        gap = position[:, :, self._first :].unsqueeze(2) - position.index_select(2, self._choosers).unsqueeze(
            3
        )
        left = (health / self.full_health)[:, self._first :].unsqueeze(1)
        seen = (length2(gap) <= _NOTICE**2) & (left < 1) & self._heals  # [B, C, U - first]
        weakest, patient = left.expand_as(seen).masked_fill(~seen, torch.inf).min(2)
        patient, found = patient + self._first, weakest < torch.inf
        return (
            torch.where(self._chooses, patient.index_select(1, self._choice), target),
            torch.where(self._chooses, found.index_select(1, self._choice), engaged),
        )

    def treat(self, health: Tensor, energy: Tensor, target: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        """Health [B, U] and energy [B, M] after one tick of all whose patient is reached [B, U]."""
        patient = self.of(target)
        missing = (self.full_health - health).gather(1, patient)
        dose = torch.minimum(energy / _ENERGY_PER_HEALTH, self.dose).minimum(missing)
        dose = dose * self.of(reached)
        # Not `scatter_add`: the compiler may read the sum before it is there.
        healed = torch.where(patient.unsqueeze(2) == self._units, dose.unsqueeze(2), 0.0).sum(1)
        health = (health + healed).minimum(self.full_health)
        energy = torch.add(energy, dose, alpha=-_ENERGY_PER_HEALTH) + self.recovery
        return health, energy.minimum(self.full_energy)

    def accelerate(self, pace: Tensor, step: Tensor) -> Tensor:
        """Metres per tick [B, M] that medivacs are capable of next, who just made a `step` [2, B, U].

        Whoever stands begins anew.
        """
        moved = self.of(step).any(0)
        return torch.where(moved, pace + self.thrust, self.thrust).minimum(self.top_speed)
