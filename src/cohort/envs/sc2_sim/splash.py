"""Weapons that hurt whoever stands near the target: the colossus's line and the baneling's burst.

Both hurt enemies only, and only those on the ground. Their tensors have the games last: one operation on pairs of units
then runs over whole rows of games instead of a few units. Booleans become numbers first: a product of both is slow.
"""

from typing import NamedTuple

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

    def __init__(self, constants: UnitConstants, n_allies: int) -> None:
        colossus = next(unit for unit in constants.units if unit.line[0])
        who, n = constants.who(constants.sweeps), n_allies
        half = torch.tensor(colossus.line, device=who.device) / 2
        self.half = half.view(2, 1, 1, 1, 1)  # across and along the line of fire
        self.lag = round(colossus.delay * TICKS_PER_SECOND)
        effect = _effects(constants, constants.sweeps)
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

    Every unit is looked at as if it were one, since a pair's distance serves both sides; others' bursts do nothing.

    Attributes:
        spent: [U] bool whose attack is the last.
    """

    def __init__(self, constants: UnitConstants, n_allies: int) -> None:
        self.spent, self._n = constants.burst > 0, n_allies
        reach2 = (constants.burst.unsqueeze(-1) + constants.radius.unsqueeze(-2)) ** 2
        units = constants.n_units
        self._reach2 = self._sides(reach2.view(-1, units, units).permute(1, 2, 0))
        self._effect = self._sides(_effects(constants, self.spent))

    def _sides(self, table: Tensor) -> Tensor:
        """[2, ..., N, E, 1 or B] of [..., U, U, 1 or B]: what agent n is to enemy e, and e to n."""
        n = self._n
        return torch.stack((table[..., :n, n:, :], table[..., n:, :n, :].transpose(-2, -3)))

    def near(self, position: Tensor) -> Tensor:
        """[2, K, N, E, B] what bursts would do now: agent n's to enemy e, and e's to n."""
        position = position.transpose(1, 2).contiguous()
        gap = position[:, self._n :].unsqueeze(1) - position[:, : self._n].unsqueeze(2)
        return self._effect * (length2(gap) <= self._reach2).float().unsqueeze(1)

    def volley(self, near: Tensor, bursting: Tensor) -> Tensor:
        """Volley [K, B, U] of those who burst [B, U]."""
        (ours, theirs), bursting = near.unbind(0), bursting.T.contiguous().float()
        on_enemies = (ours * bursting[: self._n].unsqueeze(1)).sum(1)  # [K, E, B]
        on_agents = (theirs * bursting[self._n :].unsqueeze(0)).sum(2)  # [K, N, B]
        return torch.cat((on_agents, on_enemies), 1).transpose(1, 2)


def _effects(constants: UnitConstants, splashes: Tensor) -> Tensor:
    """[K, U, U, 1 or B] what each splash weapon does to each unit, 0 on its own side and in the air.

    `splashes` [U] or [B, U] says whose weapon it is.
    """
    weapon = constants.duel[2:] if constants.layered else constants.duel[2:3]
    effect = weapon * (constants.affects & splashes.unsqueeze(-1))
    return effect.view(len(weapon), -1, *effect.shape[-2:]).permute(0, 2, 3, 1)
