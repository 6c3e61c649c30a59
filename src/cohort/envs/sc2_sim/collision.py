"""Bodies and ground: units push each other apart and stay where they can walk."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import UnitConstants

# Radians by which every other push is turned from the line of centres, the same way for everybody. Along that line
# exactly, a unit straight behind another one could push for ever and never pass it, where StarCraft II's walk round.
_TURN = 0.1


class Collision:
    """The rule of one map.

    Attributes:
        passes: how often per tick everybody is pushed.
    """

    def __init__(self, constants: UnitConstants, terrain: Terrain) -> None:
        device, units, n_units = constants.health.device, constants.units, constants.n_units
        # One pass settles a pair; in a crowd, where everybody pushes, overlaps of over 10 % need more to vanish.
        self.passes = 1 + (n_units > 12) + (n_units > 20)
        self.tiny = torch.tensor(1e-12, device=device)
        self.turn = torch.tensor([-_TURN, _TURN], device=device).view(2, 1, 1)
        self.terrain, self.uneven = terrain, not terrain.rectangular
        self.half, self.touching = _shares(constants)
        self.low, self.high, self.free = terrain.low, terrain.high, None
        if any(unit.layer == "air" or unit.strides for unit in units):
            self.low = torch.where(constants.air, terrain.air_low, terrain.low)
            self.high = torch.where(constants.air, terrain.air_high, terrain.high)
            self.free = constants.air | constants.strides

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


def _shares(constants: UnitConstants) -> tuple[Tensor, Tensor]:
    """Minus the part of an overlap by which unit i yields to j, and that part times the distance of touching.

    The part is a half, but all for those who run into a rooted unit and nothing for the rooted one itself. Units on
    different layers never touch, nor does anybody touch itself.
    """
    rooted, layer = constants.rooted, constants.air + 2 * constants.strides
    share = torch.full((), 0.5, device=rooted.device)
    if any(unit.rooted for unit in constants.units):
        share = (1 - rooted.float()).unsqueeze(-1) * torch.where(rooted.unsqueeze(-2), 1.0, 0.5)
    meet = layer.unsqueeze(-1) == layer.unsqueeze(-2)
    meet = meet & ~torch.eye(constants.n_units, dtype=torch.bool, device=rooted.device)
    separation = constants.separation.unsqueeze(-1) + constants.separation.unsqueeze(-2)
    return -share, share * separation * meet
