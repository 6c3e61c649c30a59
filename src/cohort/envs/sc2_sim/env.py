"""StarCraft II micromanagement without StarCraft: SMAC's interface, this package's battles."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cohort.envs.base import Observation, Transition
from cohort.envs.sc2_sim.battle import Battle
from cohort.envs.sc2_sim.battles import Battles, Rules, Tables
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.maps import MapFacts, all_maps
from cohort.envs.sc2_sim.observe import Observer
from cohort.envs.sc2_sim.rewards import Rewards
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.spawn import Spawner
from cohort.envs.sc2_sim.units import unit_constants

if TYPE_CHECKING:
    from cohort.envs.sc2_sim.render import Renderer


class SC2Sim(Battles):
    """B battles of one SMAC map in one tensor program.

    Observations, states, available actions and rewards are SMAC's (arXiv:1902.04043), feature by feature; the
    battle itself is a model of StarCraft II's. Win rates compare methods within this simulator only.

    Departs from SMAC in: an action that is not available acts as stop instead of failing.
    """

    Settings = SC2SimSettings

    provides = (*Battles.provides, "joint_steps")  # `step_together`

    settings: SC2SimSettings

    def _facts(self) -> MapFacts:
        return all_maps()[self.settings.map_name]

    def _prepare(self, device: torch.device) -> None:
        facts, settings, terrain = self.facts, self.settings, self.terrain
        constants = unit_constants(facts, settings.enemy_type_ids_swapped, device)
        self.battle = Battle(facts, settings, constants, terrain)
        self.observer = Observer(facts, settings, constants, terrain)
        self.rewards = Rewards(facts, settings, constants)
        self.spawner = Spawner(facts, settings, constants, terrain, self.battle.planes)

    def rules(self, keys: Tensor) -> Rules:
        """SMAC's teams are the same in every episode."""
        return self._ruled()

    def _ruled(self, tables: Tables = ()) -> Rules:
        return Rules(self.battle, self.rewards, self.observer)

    def _look(self, rules: Rules, games: Games) -> Observation:
        return rules.eyes.observe(games.units, games.actions, games.t)

    @staticmethod
    @torch.no_grad()
    def step_together(envs: Sequence["SC2Sim"], actions: Sequence[Tensor]) -> list[Transition]:
        """`step` of several environments with the same settings, as one batch: each one's numbers are the same."""
        joint = Games.joined([each.games for each in envs])
        available = torch.cat([each._available for each in envs])
        games, seen, reward, info = envs[0]._advance(joint, available, torch.cat(list(actions)))
        sizes = [each.batch_size for each in envs]
        parts = zip(
            games.split(sizes),
            (Observation(*part) for part in zip(*(each.split(sizes) for each in seen), strict=True)),
            reward.split(sizes),
            (
                dict(zip(info, part, strict=True))
                for part in zip(*(each.split(sizes) for each in info.values()), strict=True)
            ),
            strict=True,
        )
        return [each._enter(part) for each, part in zip(envs, parts, strict=True)]

    def renderer(self, agent: int | None = None) -> "Renderer":
        """Draws the first game from here on; see `Renderer`, whose libraries only those who watch load."""
        from cohort.envs.sc2_sim.render import Renderer

        return Renderer(self, agent=agent)
