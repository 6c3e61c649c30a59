"""Weapons that hurt whoever stands near the target: the colossus's line and the baneling's burst.

Both hurt enemies only, and only those on the ground. Booleans become numbers before they are multiplied: a product of
both takes several times as long.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, UnitConstants
from cohort.envs.sc2_sim.vectors import length2


class Lines:
    """Colossi: a rectangle across the line of fire, centred on the target, takes the full attack.

    A volley is raw damage, and on maps with shields or armour also hits: K is 1 or 2. It hurts whoever stood there when
    it was fired. Tensors have the games last, so that an operation on pairs of units runs over whole rows of games.

    Attributes:
        lag: ticks until it does.
    """

    def __init__(self, constants: UnitConstants, n_allies: int) -> None:
        colossus = next(unit for unit in constants.units if unit.line[0])
        who, n = constants.who(constants.sweeps), n_allies
        half = torch.tensor(colossus.line, device=who.device) / 2
        self.half = half.view(2, 1, 1, 1, 1)  # across and along the line of fire
        self.lag = round(colossus.delay * TICKS_PER_SECOND)
        effect = _effects(constants, constants.sweeps).permute(0, 2, 3, 1)  # [K, U, U, 1 or B]
        radius2 = (constants.radius**2).view(-1, constants.n_units).T  # [U, 1 or B]
        # where all may be colossi, each side's are looked at by themselves: half as many pairs
        drawn = constants.sweeps.dim() > 1
        parts = [(who[n:], slice(0, n)), (who[:n], slice(n, None))] if drawn else [(who, slice(None))]
        self._parts = tuple(
            _Part(shooters, hurt, effect[:, shooters, hurt].unsqueeze(3), radius2[hurt].unsqueeze(1))
            for shooters, hurt in parts
        )

    def volleys(self, moments: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        """The volleys of several ticks in one go, one behind the other: [K, B, ticks * U].

        Each moment is positions [2, B, U], targets [B, U] and who fires [B, U].
        """
        position, target, fires = zip(*moments, strict=True)
        position = torch.stack(position, 1).permute(0, 3, 1, 2).contiguous()  # [2, U, T, B]
        target, fires = (torch.stack(each).permute(2, 0, 1).contiguous() for each in (target, fires))
        parts = [self._volley(part, position, target, fires) for part in self._parts]
        return torch.cat(parts, 1).permute(0, 3, 2, 1).flatten(2)

    def _volley(self, part: "_Part", position: Tensor, target: Tensor, fires: Tensor) -> Tensor:
        """[K, V, T, B] what a part's colossi do in T ticks to those it may hurt."""
        target, fires = target.index_select(0, part.shooters), fires.index_select(0, part.shooters)
        centre = position.gather(1, target.expand(2, -1, -1, -1))  # [2, C, T, B]
        aim = centre - position.index_select(1, part.shooters)
        aim_x, aim_y = (aim * length2(aim).rsqrt_()).unsqueeze(2).unbind(0)  # [C, 1, T, B]
        x, y = (position[:, part.hurt].unsqueeze(1) - centre.unsqueeze(2)).unbind(0)  # [C, V, T, B]
        offset = torch.stack((x * aim_y - y * aim_x, x * aim_x + y * aim_y)).abs_()
        outside = (offset - self.half).relu_()
        covered = (length2(outside) <= part.radius2).logical_and_(fires.unsqueeze(1))
        return (covered.float() * part.effect).sum(1)


class _Part(NamedTuple):
    """Colossi, and those whom they may hurt."""

    shooters: Tensor  # [C] int64
    hurt: slice  # V units
    effect: Tensor  # [K, C, V, 1, 1 or B]
    radius2: Tensor  # [V, 1, 1 or B]


class Bursts:
    """Banelings: an attack spends the baneling, and one that is killed bursts as well.

    Attributes:
        spent: [U] bool whose attack is the last.
    """

    def __init__(self, constants: UnitConstants) -> None:
        self.spent = constants.burst > 0
        self._who, self._anybody = constants.who(self.spent), self.spent.dim() > 1
        radius = self._of(constants.burst)
        self._reach2 = (radius.unsqueeze(-1) + constants.radius.unsqueeze(-2)) ** 2  # [M, U]
        self._effect = _effects(constants, self.spent)[:, :, self._who]  # [K, 1 or B, M, U]

    def _of(self, units: Tensor) -> Tensor:
        """The banelings' part [..., M] of all units' [..., U]."""
        return units if self._anybody else units.index_select(-1, self._who)

    def near(self, position: Tensor) -> Tensor:
        """[K, B, M, U] what the burst of each baneling would do now to each unit."""
        gap = position.unsqueeze(2) - self._of(position).unsqueeze(3)
        return self._effect * (length2(gap) <= self._reach2).float()

    def volley(self, near: Tensor, bursting: Tensor) -> Tensor:
        """Volley [K, B, U] of those who burst [B, U]: a product of matrices, exact since damage is whole numbers."""
        return torch.matmul(self._of(bursting).float().unsqueeze(1), near).squeeze(2)


def _effects(constants: UnitConstants, splashes: Tensor) -> Tensor:
    """[K, 1 or B, U, U] what each splash weapon does to each unit, 0 on its own side and in the air.

    `splashes` [U] or [B, U] says whose weapon it is.
    """
    weapon = constants.duel[2:] if constants.layered else constants.duel[2:3]
    effect = weapon * (constants.affects & splashes.unsqueeze(-1))
    return effect if effect.dim() == 4 else effect.unsqueeze(1)
