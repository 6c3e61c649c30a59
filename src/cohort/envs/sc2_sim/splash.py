"""Weapons that hurt whoever stands near the target: the colossus's line and the baneling's burst.

Both hurt enemies only, and only those on the ground.
"""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.sc2_sim.vectors import length2


class Lines:
    """Colossi: a rectangle across the line of fire, centred on the target, takes the full attack.

    A volley is raw damage, and on maps with shields or armour also hits: K is 1 or 2. It hurts whoever stood there when
    it was fired.

    Attributes:
        lag: ticks until it does.
    """

    def __init__(self, constants: UnitConstants) -> None:
        device, units = constants.health.device, constants.units
        who = [i for i, unit in enumerate(units) if unit.line[0]]
        self.who = torch.tensor(who, device=device)
        half = torch.tensor([[units[i].line[0] / 2, units[i].line[1] / 2] for i in who], device=device)
        self.half = half.T.unsqueeze(2)  # [2, C, 1] across and along the line of fire
        self.radius2 = constants.radius**2
        self.lag = round(float(constants.lag[who[0]]))
        self.effect = _effects(constants, who)

    def volley(self, position: Tensor, target: Tensor, fires: Tensor) -> Tensor:
        """Volley [K, B, U] of the colossi among those who fire [B, U] at `target` [B, U]."""
        target, fires = target.index_select(1, self.who), fires.index_select(1, self.who)  # [B, C]
        centre = position.gather(2, target.expand(2, -1, -1))  # [2, B, C]
        aim = centre - position.index_select(2, self.who)
        aim_x, aim_y = (aim * length2(aim).rsqrt_()).unsqueeze(3).unbind(0)  # [B, C, 1]
        x, y = (position.unsqueeze(2) - centre.unsqueeze(3)).unbind(0)  # [B, C, U] from the target
        offset = torch.stack((x * aim_y - y * aim_x, x * aim_x + y * aim_y)).abs_()
        outside = (offset - self.half.unsqueeze(1)).relu_()
        covered = (length2(outside) <= self.radius2).logical_and_(fires.unsqueeze(2))
        return (covered * self.effect).sum(2)

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
        device, units = constants.health.device, constants.units
        who = [i for i, unit in enumerate(units) if unit.burst]
        self.who = torch.tensor(who, device=device)
        self.spent = torch.tensor([unit.burst > 0 for unit in units], device=device)
        radius = torch.tensor([units[i].burst for i in who], device=device)
        self.reach2 = (radius.unsqueeze(1) + constants.radius) ** 2  # [M, U]
        self.effect = _effects(constants, who)

    def near(self, position: Tensor) -> Tensor:
        """[K, B, M, U] what the burst of each baneling would do now to each unit."""
        gap = position.unsqueeze(2) - position.index_select(2, self.who).unsqueeze(3)
        return self.effect * (length2(gap) <= self.reach2)

    def volley(self, near: Tensor, bursting: Tensor) -> Tensor:
        """Volley [K, B, U] of the banelings that burst [B, M]."""
        return (near * bursting.unsqueeze(2)).sum(2)


def _effects(constants: UnitConstants, who: list[int]) -> Tensor:
    """[K, 1, M, U] what each splash weapon does to each unit, 0 on its own side and in the air."""
    units, affects = constants.units, constants.affects[who]
    damage = torch.tensor([[float(units[i].damage_to(other)) for other in units] for i in who])
    hits = torch.tensor([[float(units[i].hits) for _ in units] for i in who])
    effects = torch.stack((damage, hits) if constants.layered else (damage,))
    return (effects.to(affects.device) * affects).unsqueeze(1)
