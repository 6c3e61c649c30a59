"""What SMACv2 lets agents see: every type's own sight, and what the team has found of the enemy."""

import torch
from torch import Tensor

from cohort.envs.base import Observation
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.maps import CENTRE, MapFacts
from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.sc2_sim.observe import Observer, Ranges
from cohort.envs.sc2_sim.planes import HEALTH
from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.sc2_sim.vectors import length2
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import Race

_NOBODY = -1.0


class Eyes:
    """Computes observations of games, given the kinds of their units.

    SMACv2 keeps for each enemy the agent that found it. The one who sees it first finds it for the whole team, agents
    being asked in a random order at every step; the find is lost when the finder dies, and at every step for an enemy
    that is dead. As its code is, whoever has in mind an enemy not found (the dead, too, unless somebody sees where they
    fell) is shown no enemy of a lower number. With `unseen_hide_others` that is kept.

    A memory [B, 3 E] is the finders (-1 for none) and where each enemy is or fell, x and y.
    """

    def __init__(
        self,
        race: Race,
        facts: MapFacts,
        settings: SMACv2SimSettings,
        constants: UnitConstants,
        terrain: Terrain,
        kinds: Tensor,
    ) -> None:
        """`kinds` [B, U] are columns of the roster, `constants` the battles' own."""
        self.n, self.e, self.quirk = facts.n_agents, facts.n_enemies, settings.unseen_hide_others
        ranges = Ranges()
        if settings.use_unit_ranges:
            metres = [[kind.sight, max(kind.shoot, settings.min_attack_range)] for kind in race.kinds]
            table = torch.tensor(metres, dtype=torch.float32, device=kinds.device)[
                kinds[:, : self.n]
            ]  # [B, N, 2]
            ranges = Ranges(*table.unsqueeze(3).unbind(2))
        self.observer = Observer(facts, settings, constants, terrain, ranges)
        self.lanes = facts.n_agents + facts.n_enemies + torch.arange(self.n, device=kinds.device)

    def look(self, games: Games) -> Observation:
        """What is seen now."""
        shown = None
        if self.quirk:
            found, first, turn, _ = self._find(games)
            known = found.unsqueeze(1) | (first.unsqueeze(1) <= turn.unsqueeze(2))  # [B, N, E]
            shown = (~known).flip(2).cumsum(2).flip(2) == 0
        return self.observer.observe(games.units, games.actions, games.t, shown)

    def remember(self, games: Games, units: Tensor) -> Tensor:
        """The memory after a step of `games` that led to `units` [P, B, U]."""
        found, first, _, finder = self._find(games)
        before, *fell = games.memory.split(self.e, 1)
        finder = torch.where(found, before, torch.where(first < 1, finder.float(), _NOBODY))
        alive = units[HEALTH] > 0
        lives = alive[:, : self.n].gather(1, finder.clamp_min(0).long()) & alive[:, self.n :]
        places = torch.where(alive[:, self.n :], units[:2, :, self.n :], torch.stack(fell))
        return torch.cat((finder.masked_fill(~lives, _NOBODY), *places), 1)

    def _find(self, games: Games) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Who is found already [B, E], the earliest turn in which anybody sees each enemy [B, E], agents' turns [B, N]
        and whose turn it is [B, E]. Turns are below 1; where nobody sees an enemy, its is 1 or more.
        """
        finder, *fell = games.memory.split(self.e, 1)
        turn = uniform(games.keys, games.t, self.lanes)
        team = games.units[:2, :, : self.n]
        gap = (torch.stack(fell) + CENTRE).unsqueeze(2) - (team + CENTRE).unsqueeze(3)  # [2, B, N, E]
        sees = (length2(gap) < self.observer.sight2) & (games.units[HEALTH, :, : self.n] > 0).unsqueeze(2)
        first, whose = turn.unsqueeze(2).masked_fill(~sees, 2.0).min(1)
        # at the start everybody looks twice, and the second time all that is in anybody's sight is found
        turn = torch.where(games.t.unsqueeze(1) == 0, 1.0, turn)
        return finder >= 0, first, turn, whose


def fresh_memory(units: Tensor, n_agents: int) -> Tensor:
    """The memory [B, 3 E] of `Eyes` in episodes that begin with `units` [P, B, U]: nobody is found."""
    places = units[:2, :, n_agents:]
    return torch.cat((torch.full_like(places[0], _NOBODY), *places), 1)
