"""Weapons that hurt whoever stands near the target: the colossus's line and the baneling's burst.

Both hurt enemies only, and only those on the ground.
"""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, UnitConstants
from cohort.envs.sc2_sim.vectors import length2


class Lines:
    """Colossi: a rectangle across the line of fire, centred on the target, takes the full attack.

    A volley is raw damage, and on maps with shields or armour also hits: K is 1 or 2. It hurts whoever stood there when
    it was fired.

    Attributes:
        lag: ticks until it does.
    """

    def __init__(self, constants: UnitConstants) -> None:
        colossus = next(unit for unit in constants.units if unit.line[0])
        self.who = constants.who(constants.sweeps)
        half = torch.tensor(colossus.line, device=self.who.device) / 2
        self.half = half.view(2, 1, 1, 1)  # across and along the line of fire
        self.radius2 = (constants.radius**2).unsqueeze(-2)  # [1, U] or [B, 1, U]
        self.lag = round(colossus.delay * TICKS_PER_SECOND)
        self.effect = _effects(constants, self.who, constants.sweeps)

    def volley(self, position: Tensor, target: Tensor, fires: Tensor) -> Tensor:
        """Volley [K, B, U] of the colossi among those who fire [B, U] at `target` [B, U].

        B may be a multiple of the games': several moments, one after the other.
        """
        effect, radius2 = self.effect, self.radius2
        if effect.shape[1] > 1:  # teams are drawn
            moments = len(target) // effect.shape[1]
            effect, radius2 = effect.repeat(1, moments, 1, 1), radius2.repeat(moments, 1, 1)
        target, fires = target.index_select(1, self.who), fires.index_select(1, self.who)  # [B, C]
        centre = position.gather(2, target.expand(2, -1, -1))  # [2, B, C]
        aim = centre - position.index_select(2, self.who)
        aim_x, aim_y = (aim * length2(aim).rsqrt_()).unsqueeze(3).unbind(0)  # [B, C, 1]
        x, y = (position.unsqueeze(2) - centre.unsqueeze(3)).unbind(0)  # [B, C, U] from the target
        offset = torch.stack((x * aim_y - y * aim_x, x * aim_x + y * aim_y)).abs_()
        outside = (offset - self.half).relu_()
        covered = (length2(outside) <= radius2).logical_and_(fires.unsqueeze(2))
        return (covered * effect).sum(2)

    def volleys(self, moments: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        """The volleys of several ticks in one go, one behind the other: [K, B, ticks * U].

        Each moment is what `volley` reads.
        """
        position, target, fires = zip(*moments, strict=True)
        together = self.volley(torch.cat(position, 1), torch.cat(target), torch.cat(fires))
        return together.unflatten(1, (len(moments), -1)).transpose(1, 2).flatten(2)


class Bursts:
    """Banelings: an attack spends the baneling, and one that is killed bursts as well.

    Attributes:
        who: [M] int64 the banelings.
        spent: [U] bool whose attack is the last.
    """

    def __init__(self, constants: UnitConstants) -> None:
        self.spent = constants.burst > 0
        self.who = constants.who(self.spent)
        radius = constants.burst.index_select(-1, self.who)
        self.reach2 = (radius.unsqueeze(-1) + constants.radius.unsqueeze(-2)) ** 2  # [M, U]
        self.effect = _effects(constants, self.who, self.spent)

    def near(self, position: Tensor) -> Tensor:
        """[K, B, M, U] what the burst of each baneling would do now to each unit."""
        gap = position.unsqueeze(2) - position.index_select(2, self.who).unsqueeze(3)
        return self.effect * (length2(gap) <= self.reach2)

    def volley(self, near: Tensor, bursting: Tensor) -> Tensor:
        """Volley [K, B, U] of the banelings that burst [B, M]."""
        return (near * bursting.unsqueeze(2)).sum(2)


def _effects(constants: UnitConstants, who: Tensor, splashes: Tensor) -> Tensor:
    """[K, 1 or B, M, U] what each splash weapon does to each unit, 0 on its own side and in the air.

    `splashes` [U] says whose weapon it is: where teams are drawn, `who` [M] are all units.
    """
    weapon = constants.duel[2:] if constants.layered else constants.duel[2:3]
    able = constants.affects & splashes.unsqueeze(-1)
    effect = (weapon * able).index_select(-2, who)
    return effect if effect.dim() == 4 else effect.unsqueeze(1)
