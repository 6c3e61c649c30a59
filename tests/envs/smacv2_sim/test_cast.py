"""A battle of drawn teams is the battle that the same units would fight on a fixed map, bit for bit."""

import dataclasses

import pytest
import torch

from cohort.envs.sc2_sim.battle import Battle
from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import UNITS, tabulate
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import race_of


@pytest.mark.parametrize("task", ["protoss_5_vs_5", "terran_10_vs_11", "zerg_10_vs_10"])
def test_each_game_plays_as_its_units_would_on_a_map_of_their_own(task):
    env = SMACv2Sim(SMACv2SimSettings(map_name=task), batch_size=6, seed=5)
    seen, n = env.reset(), env.spec.n_agents
    names = [kind.name for kind in race_of(task).kinds]
    kinds = env.spawner.kinds(env.games.keys).tolist()
    draw = torch.Generator().manual_seed(0)
    for _ in range(25):
        weights = seen.available_actions.float()
        weights[:, :, 6:] *= 4
        actions = torch.multinomial(weights.flatten(0, 1), 1, generator=draw).view(-1, n)
        before = env.games
        seen = env.step(actions).observation
        for game, row in enumerate(kinds):
            if before.terminated[game]:
                continue
            units = [UNITS[names[kind % len(names)]] for kind in row]
            alone = _alone(env, tabulate(units, n, torch.zeros(len(units), 0)))
            mine = before.units[:, game : game + 1]
            planes = alone.constants.planes
            course = alone.at_rest(1)._replace(
                target=before.target[game : game + 1],
                **({"aimed": before.aimed[game : game + 1]} if alone.wind_up else {}),
                **({"pace": before.pace[game : game + 1, alone.constants.medic]} if alone.healing else {}),
                **({"pending": before.pending[game : game + 1]} if alone.delivery else {}),
            )
            keys = before.keys[game : game + 1]
            orders = alone.orders(mine, actions[game : game + 1], keys)
            reload = alone.reload_times(keys, before.t[game : game + 1])
            after, _ = alone.advance(mine[:planes], course, orders, reload)
            assert torch.equal(after, env.games.units[:planes, game : game + 1])
    assert env.games.terminated.any()


def _alone(env: SMACv2Sim, constants) -> Battle:
    """With the planes and the rules of the task, whichever of its units are there."""
    possible = dataclasses.replace(constants, layered=env.battle.constants.layered)
    return Battle(env.facts, env.settings, possible, Terrain(env.facts, torch.device("cpu")))
