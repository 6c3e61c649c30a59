"""Does `SMACv2Sim` see, allow and reward what SMACv2 does? oxwhirl's unmodified smacv2 plays beside it.

As in `parity`, the game is the stand-in. smacv2 draws teams and places with its own distributions and creates the units
in the stand-in; the simulator here is told them, and from then on both must agree after every step.

    PYTHONPATH=<smacv2's folder> python -m tests.envs.sc2.parity_smacv2 --episodes 4
"""

import dataclasses
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from cohort.envs.foreign.smacv2 import arguments
from cohort.envs.sc2_sim.noise import episode_keys, uniform
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import TASKS
from tests.envs.sc2.parity import Match, Report, compare_all, play_variant
from tests.envs.sc2.parity_variants import VARIANTS
from tests.envs.sc2.stand_in_installation import make_installation
from tests.envs.sc2.told import tell


class DrawnMatch(Match):
    """smacv2 and a simulator of the same settings, playing the same episodes of one task."""

    def __init__(self, report: Report, number: int, seed: int, folder: Path) -> None:
        """Start both; arguments as `Match`'s."""
        from smacv2.env.starcraft2 import starcraft2
        from smacv2.env.starcraft2.wrapper import StarCraftCapabilityEnvWrapper

        self.report, self.number, self.where = report, number, "at the start"
        self.rng = np.random.default_rng(seed)
        variant, task = VARIANTS[number], report.map_name
        battle = _without(variant.battle, {"reset_noise", "enemy_acquire_range", "enemy_retaliation_range"})
        # which smacv2's class does not know how to make
        told = _without(variant.arguments, {"obs_instead_of_state"})
        knobs = {
            "battle": {**battle, "move_amount": told.get("move_amount", 2)},
            "enemy_health": variant.enemy_health,
            "old_pathing": variant.old_pathing,
            "task": task,
        }
        os.environ.update(make_installation(folder, **knobs))
        settings = SMACv2SimSettings(map_name=task, **battle, **told)
        self.own = SMACv2Sim(settings, batch_size=1, seed=seed)
        if variant.limit:
            self.own.facts = dataclasses.replace(self.own.facts, episode_limit=variant.limit)
            self.own.spec = dataclasses.replace(self.own.spec, episode_limit=variant.limit)
        race, _, size = task.partition("_")
        drawn = arguments(race, *map(int, size.split("_vs_")))
        self.wrapper = StarCraftCapabilityEnvWrapper(**drawn, **told, seed=seed)
        self.smac = self.wrapper.env
        if variant.limit:
            self.smac.episode_limit = variant.limit
        for key, size in self.own.get_env_info().items():
            self.check(key, self.smac.get_env_info()[key], size)
        # smacv2 asks its agents in a random order, which matters to who finds an enemy first: in ours
        starcraft2.random = SimpleNamespace(shuffle=self._in_our_order)

    def _in_our_order(self, agents: list[int]) -> None:
        games = self.own.games
        begins = torch.tensor([self.beginning])
        keys = episode_keys(self.own._game_keys, games.episode + begins)
        t = games.t.masked_fill(begins, 0)
        agents.sort(key=uniform(keys, t, self.own.rules(keys).eyes.lanes)[0].tolist().__getitem__)

    def begin(self) -> None:
        self.beginning = True
        self.wrapper.reset()
        drawn = self.smac.episode_config
        points = [*drawn["ally_start_positions"]["item"], *drawn["enemy_start_positions"]["item"]]
        teams = drawn["team_gen"]
        tell(self.own, list(teams["ally_team"]), list(teams["enemy_team"]), [tuple(p) for p in points])
        self.own.reset()
        self.beginning = False

    def reward_units(self) -> tuple[float, float]:
        if not self.smac.reward_scale:
            return super().reward_units()
        # smacv2 keeps the scale of the first teams it drew, the simulator takes each episode's
        constants = self.own.rules(self.own.games.keys).battle.constants
        bodies = (constants.health + constants.shield)[0, self.own.spec.n_agents :].sum().item()
        worth = self.smac.n_enemies * self.smac.reward_death_value + self.smac.reward_win + bodies
        return worth / self.smac.max_reward, 1.0

    def sights(self) -> tuple[np.ndarray, np.ndarray]:
        return np.stack(self.smac.get_obs()), self.smac.get_state()

    def ranges(self) -> np.ndarray:
        agents = range(self.smac.n_agents)
        return np.array([[self.smac.unit_sight_range(a), self.smac.unit_shoot_range(a)] for a in agents])


def _without(told: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in keys}


def compare_task(task: str, episodes: int, seed: int, numbers: list[int]) -> Report:
    """Play `episodes` episodes of one task, spread over the variants."""
    report = Report(task)
    for index in range(len(numbers)):
        play_variant(DrawnMatch, report, numbers, index, episodes, seed)
    return report


def main(words: list[str] | None = None) -> int:
    """Compare smacv2's tasks; the exit status."""
    return compare_all(words, __doc__, TASKS, [0], compare_task, "smacv2")


if __name__ == "__main__":
    sys.exit(main())
