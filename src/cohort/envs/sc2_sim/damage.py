"""What damage does to bodies: shields first, then armour, then health."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, UnitConstants

_SHIELD_DELAY = 10.0 * TICKS_PER_SECOND
_SHIELD_PER_TICK = 2.0 / TICKS_PER_SECOND


class Bodies(NamedTuple):
    """All units' bodies, [B, U] each; on maps without shields and armour only health."""

    health: Tensor
    shield: Tensor | None = None
    unhurt: Tensor | None = None  # ticks since the step's start until the shield recovers


class Damage:
    """The rule of one map. A volley [K, B, U] is raw damage, and on maps with shields or armour also hits."""

    def __init__(self, constants: UnitConstants) -> None:
        self.layered, self.full_shield, self.armour = constants.layered, constants.shield, constants.armour
        # so that rounding makes no hit more
        self._nearly = torch.tensor(-1e-6, device=constants.health.device)

    def volley(self, target: Tensor, weapon: Tensor, fires: Tensor) -> Tensor:
        """Sum [K, B, U] per victim of the attacks of those who fire [B, U], `weapon` [K, B, U] each."""
        index = target.expand(len(weapon), -1, -1)
        return torch.zeros_like(weapon).scatter_add_(2, index, weapon * fires)

    def suffer(self, bodies: Bodies, volley: Tensor, tick: int) -> Bodies:
        """Bodies after a volley.

        A volley counts as one attack: exact for single attacks and without shields, close for mixed volleys.
        """
        if not self.layered:
            return Bodies(bodies.health - volley[0])
        raw, hits = volley.unbind(0)
        absorbed = torch.minimum(raw, bodies.shield)
        rest = raw - absorbed
        # hits that reach the body
        through = torch.addcdiv(self._nearly, rest * hits, raw.clamp_min(1)).ceil_()
        loss = torch.addcmul(rest, through, self.armour, value=-1).maximum(0.5 * through)
        unhurt = bodies.unhurt.masked_fill(raw > 0, _SHIELD_DELAY + tick)
        return Bodies(bodies.health - loss, bodies.shield - absorbed, unhurt)

    def recovered(self, bodies: Bodies, ticks: int) -> Tensor:
        """Shields [B, U] after a step of so many ticks, made good by what recovers from the hits that it ended with."""
        quiet = (ticks - bodies.unhurt).clamp_(0, ticks)
        return torch.minimum(torch.add(bodies.shield, quiet, alpha=_SHIELD_PER_TICK), self.full_shield)
