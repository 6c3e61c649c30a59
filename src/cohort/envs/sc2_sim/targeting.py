"""Whom the enemy attacks: StarCraft II's automatic targeting."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.planes import NOWHERE
from cohort.envs.sc2_sim.settings import BattleSettings, SC2SimSettings
from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.sc2_sim.vectors import length2, root

_ACQUIRE = 5.0  # metres, edge to edge, or as far as a longer weapon reaches (Core.SC2Mod: MinScanRange)
_HELP = 4.0  # metres, edge to edge, at which comrades come to help (Core.SC2Mod: CallForHelpRadius)
_NEVER = -1.0  # a distance within which nobody is
_FAR = 100.0  # metres, more than the map has, less than the dead are away


class Senses:
    """Distances from an enemy's centre to an ally's edge at which the enemy acts.

    Attributes:
        reach: [E] it keeps its target: its weapon hits the ally.
        acquire: [E, N] it notices the ally.
        answer: [E, N] it notices an ally who attacks it or a comrade nearby.
        help2: [E, E] squared distance between centres at which the first comes to help the second.
        chase: [E] it follows its last target while it notices nobody.
    """

    def __init__(self, facts: MapFacts, settings: BattleSettings, constants: UnitConstants) -> None:
        n = facts.n_agents
        self.reach, radius = constants.reach[..., n:], constants.radius[..., n:]
        self.chase = torch.full_like(radius, _FAR)
        self.help2 = (_HELP + radius.unsqueeze(-2) + radius.unsqueeze(-1)) ** 2
        if facts.enemy_order in ("attack_units", "attack_unit"):
            acquire = answer = torch.full_like(radius, NOWHERE)  # the order itself points at the nearest ally
            if facts.enemy_order == "attack_unit":  # and at nobody else while that one lives
                self.reach = self.chase
        else:
            acquire, answer = self._awareness(settings, constants.rooted[..., n:], radius)
        harmless = ~constants.affects[..., n:, :n]
        self.acquire = acquire.unsqueeze(-1).masked_fill(harmless, _NEVER)
        self.answer = answer.unsqueeze(-1).masked_fill(harmless, _NEVER)

    def _awareness(self, settings: SC2SimSettings, rooted: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
        """Metres [E] at which enemies notice an ally, and one that attacks."""
        if settings.enemy_acquire_range is None:
            acquire = self.reach.maximum(radius + _ACQUIRE)
        else:
            acquire = (radius + settings.enemy_acquire_range).maximum(self.reach)
        answer = torch.full_like(radius, NOWHERE)
        if settings.enemy_retaliation_range is not None:
            answer = (radius + settings.enemy_retaliation_range).maximum(acquire)
        return torch.where(rooted, self.reach, acquire), torch.where(rooted, self.reach, answer)

    def alarm(self, position: Tensor, attacked: Tensor) -> Tensor:
        """Distances [B, E, N] at which enemies notice allies that fire: who attacks them or a comrade nearby, far away.

        Args:
            position: [2, B, E] of the enemies.
            attacked: [B, E, N] whether ally n attacks enemy e.
        """
        near = length2(position.unsqueeze(3) - position.unsqueeze(2)) <= self.help2  # themselves, too
        return torch.where(near.float() @ attacked.float() > 0, self.answer, self.acquire)


def edge_distance(shooters: Tensor, targets: Tensor, radius: Tensor) -> Tensor:
    """[B, S, T] from centres of shooters [2, B, S] to edges of targets [2, B, T] with `radius` [T] or [B, T]."""
    gap = shooters.unsqueeze(3) - targets.unsqueeze(2)
    return root(length2(gap)).sub_(radius.unsqueeze(-2))


def acquire(
    distance: Tensor, target: Tensor, engaged: Tensor, reach: Tensor, alarm: Tensor, chase: Tensor
) -> tuple[Tensor, Tensor]:
    """StarCraft II's automatic targeting with equal priorities.

    A target is kept while the weapon reaches it; otherwise the nearest one within the alarm distance is taken. Where
    nobody is, the last target is followed. The dead are infinitely far.

    Args:
        distance: [B, S, T] from each shooter's centre to each target's edge.
        target: [B, S] int64 index of the last target, if there was one.
        engaged: [B, S] whether there was.
        reach: [S] distance the weapon reaches.
        alarm: [B, S, T] distance within which a target is noticed, at least the weapon's reach.
        chase: [S] distance as far as which the last target is followed.

    Returns:
        [B, S] targets and [B, S] whether there is one.
    """
    last = distance.gather(2, target.unsqueeze(2)).squeeze(2)
    nearest, index = distance.masked_fill(distance > alarm, torch.inf).min(2)
    noticed = nearest < torch.inf
    kept = (last <= torch.where(noticed, reach, chase)).logical_and_(engaged)
    return torch.where(kept, target, index), noticed.logical_or_(kept)
