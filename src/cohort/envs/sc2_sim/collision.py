"""Bodies and ground: units push each other apart and stay where they can walk."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import Unit, UnitConstants

# Radians by which every other push is turned from the line of centres, the same way for everybody. Along that line
# exactly, a unit straight behind another one could push for ever and never pass it, where StarCraft II's walk round.
_TURN = 0.1


class Collision:
    """The rule of one map.

    Attributes:
        passes: how often per tick everybody is pushed.
    """

    def __init__(self, constants: UnitConstants, terrain: Terrain) -> None:
        device, units = constants.health.device, constants.units
        # One pass settles a pair; in a crowd, where everybody pushes, overlaps of over 10 % need more to vanish.
        self.passes = 1 + (len(units) > 12) + (len(units) > 20)
        self.tiny = torch.tensor(1e-12, device=device)
        self.turn = torch.tensor([-_TURN, _TURN], device=device).view(2, 1, 1)
        self.terrain, self.uneven = terrain, not terrain.rectangular
        share, touching = _shares(units)
        self.touching, self.half = touching.to(device), share.to(device)
        self.low, self.high, self.free = terrain.low, terrain.high, None
        if any(unit.layer == "air" or unit.strides for unit in units):
            air = torch.tensor([unit.layer == "air" for unit in units], device=device)
            self.low = torch.where(air, terrain.air_low, terrain.low)
            self.high = torch.where(air, terrain.air_high, terrain.high)
            self.free = air | torch.tensor([unit.strides for unit in units], device=device)

    def settle(self, before: Tensor, position: Tensor, turned: bool = True) -> Tensor:
        """Where units end [2, B, U] that were at `before` and walked to `position`: apart, on walkable ground.

        With `turned` the last of their pushes is.
        """
        for number in range(self.passes):
            position = self.push(position, turned and number == self.passes - 1)
        clamped = torch.clamp(position, self.low, self.high)
        if not self.uneven:
            return clamped
        confined = self.terrain.confine(before, position)
        return confined if self.free is None else torch.where(self.free, clamped, confined)

    def push(self, position: Tensor, turned: bool = True) -> Tensor:
        """Move units [2, B, U] that overlap apart, half the overlap each; `turned` a little, or straight."""
        gap = position.unsqueeze(3) - position.unsqueeze(2)  # [2, B, U, U]
        across, along = gap.unbind(0)
        closeness = torch.addcmul(self.tiny, across, across).addcmul_(along, along).rsqrt_()
        weight = torch.addcmul(self.half, self.touching, closeness).relu_()
        push = gap.mul_(weight).sum(3)
        if turned:
            push = torch.addcmul(push, push.flip(0), self.turn)
        return push.add_(position)


def _shares(units: tuple[Unit, ...]) -> tuple[Tensor, Tensor]:
    """Minus the part of an overlap by which unit i yields to j, and that part times the distance of touching.

    The part is a half, but all for those who run into a rooted unit and nothing for the rooted one itself. Units on
    different layers never touch.
    """

    def share(a: Unit, b: Unit) -> float:
        return 0.0 if a.rooted else 1.0 if b.rooted else 0.5

    def touching(a: Unit, b: Unit) -> float:
        meet = (a.layer, a.strides) == (b.layer, b.strides)
        return share(a, b) * (a.separation + b.separation) if meet else 0.0

    shares = torch.tensor([[-share(a, b) for b in units] for a in units])
    if bool((shares == -0.5).all()):
        shares = torch.tensor(-0.5)
    return shares, torch.tensor([[touching(a, b) for b in units] for a in units]).fill_diagonal_(0.0)
