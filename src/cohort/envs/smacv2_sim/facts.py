"""What a task of SMACv2 fixes, in the simulator's terms: the map, and units to cast teams from."""

import re

import torch

from cohort.envs.sc2_sim.maps import MapFacts, all_maps
from cohort.envs.sc2_sim.units import UNITS, UnitConstants, tabulate
from cohort.envs.smacv2_sim.tasks import EPISODE_LIMIT, Race, race_of

# The map of all tasks, "32x32_flat", is a plain like this one: level, with nothing to walk on at its border.
_PLAIN = "3s_vs_3z"


def task_facts(task: str) -> MapFacts:
    """What a task fixes, as the facts of a map without units of its own."""
    race, plain = race_of(task), all_maps()[_PLAIN]
    n_agents, n_enemies = map(int, re.findall(r"\d+", task))
    return MapFacts(
        name=task,
        episode_limit=EPISODE_LIMIT,
        n_agents=n_agents,
        n_enemies=n_enemies,
        unit_type_bits=len(race.kinds),
        map_type=f"{task.partition('_')[0]}_gen",
        ally_race=race.letter,
        enemy_race=race.letter,
        groups=(),
        enemy_order="attack_unit",
        enemy_goals=None,
        terrain=plain.terrain,
        terrain_name=plain.terrain_name,
    )


def roster(race: Race, device: torch.device) -> UnitConstants:
    """One unit of each type for the team, then one for the enemy: what battles' teams are cast from."""
    units = [UNITS[kind.name] for kind in race.kinds]
    return tabulate(units * 2, len(units), torch.eye(len(units), device=device).repeat(2, 1))
