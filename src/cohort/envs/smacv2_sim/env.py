"""SMACv2 without StarCraft: SMACv2's interface, this package's battles."""

import torch
from torch import Tensor

from cohort.envs.base import Observation
from cohort.envs.sc2_sim.battle import Battle
from cohort.envs.sc2_sim.battles import Battles, Rules, Tables
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.rewards import Rewards
from cohort.envs.smacv2_sim.eyes import Eyes, fresh_memory
from cohort.envs.smacv2_sim.facts import roster, task_facts
from cohort.envs.smacv2_sim.muster import Muster
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tables import Tabulation
from cohort.envs.smacv2_sim.tasks import race_of


class SMACv2Sim(Battles):
    """B battles of one SMACv2 task in one tensor program: teams and places are drawn anew for every episode.

    Observations, states, available actions and rewards are those of SMACv2 (arXiv:2212.07489) with its files
    sc2_gen_<race>.yaml, feature by feature; the battle is `sc2_sim`'s. Win rates compare methods within this simulator.

    Departs from SMACv2 in: rewards are scaled by the enemy team of their own episode, where SMACv2 keeps the scale of
    the first one a process drew; an action that is not available acts as stop instead of failing.
    """

    Settings = SMACv2SimSettings

    settings: SMACv2SimSettings
    spawner: Muster

    def _facts(self) -> MapFacts:
        return task_facts(self.settings.map_name)

    def _prepare(self, device: torch.device) -> None:
        self._race = race_of(self.settings.map_name)
        self._roster = roster(self._race, device)
        self._memory_width = 3 * self.facts.n_enemies
        self.spawner = Muster(self._race, self.facts, self._roster, self.terrain)
        self._tabulation = Tabulation(
            lambda games: self.rules(torch.zeros_like(self._game_keys[:1]).repeat(games))
        )

    def rules(self, keys: Tensor) -> Rules:
        """Of the teams that are drawn in the episodes with random streams `keys` [B]."""
        kinds = self.spawner.kinds(keys)
        constants = self._roster.cast(kinds)
        return Rules(
            battle=Battle(self.facts, self.settings, constants, self.terrain),
            rewards=Rewards(self.facts, self.settings, constants, absolute=False),
            eyes=Eyes(self._race, self.facts, self.settings, constants, self.terrain, kinds),
        )

    def _ruled(self, tables: Tables) -> Rules:
        return self._tabulation.put(tables)

    def _tabulate(self, rules: Rules) -> Tables:
        return self._tabulation.take(rules)

    def _choose(self, mask: Tensor, new: Tables, old: Tables) -> Tables:
        return self._tabulation.choose(mask, new, old)

    def _look(self, rules: Rules, games: Games) -> Observation:
        return rules.eyes.look(games)

    def _fresh_memory(self, units: Tensor) -> Tensor:
        return fresh_memory(units, self.facts.n_agents)

    def _remember(self, rules: Rules, games: Games, units: Tensor, ongoing: Tensor) -> Tensor:
        return torch.where(ongoing, rules.eyes.remember(games, units), games.memory)
