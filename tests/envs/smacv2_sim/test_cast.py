"""A battle of drawn teams is the battle that the same units would fight on a fixed map, bit for bit."""

import pytest
import torch

from cohort.envs.sc2_sim.battle import Battle, Course
from cohort.envs.sc2_sim.planes import FIRST_ATTACK, HEALTH
from cohort.envs.sc2_sim.units import UNITS, tabulate
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import race_of


@pytest.mark.parametrize("task", ["protoss_10_vs_10", "terran_10_vs_11", "zerg_10_vs_10"])
def test_each_game_plays_as_its_units_would_on_a_map_of_their_own(task):
    env = SMACv2Sim(SMACv2SimSettings(map_name=task), batch_size=6, seed=5)
    seen, n = env.reset(), env.spec.n_agents
    names = [kind.name for kind in race_of(task).kinds]
    alone = {}
    for game, row in enumerate(env.spawner.kinds(env.games.keys).tolist()):
        units = [UNITS[names[kind % len(names)]] for kind in row]
        if len(set(units)) == len(names):  # only then a fixed map has all the rules that the task has
            constants = tabulate(units, n, torch.zeros(len(units), 0))
            alone[game] = Battle(env.facts, env.settings, constants, env.terrain)
    assert len(alone) > 1
    draw, compared = torch.Generator().manual_seed(0), 0
    for _ in range(20):
        weights = seen.available_actions.float()
        weights[:, :, FIRST_ATTACK:] *= 4
        actions = torch.multinomial(weights.flatten(0, 1), 1, generator=draw).view(-1, n)
        before, seen = env.games, env.step(actions).observation
        for game, battle in alone.items():
            if not before.terminated[game]:
                row = slice(game, game + 1)
                course = Course(*(part[row] for part in before.course))
                if battle.healing:
                    course = course._replace(pace=course.pace[:, battle.healing.medics])
                orders = battle.orders(before.units[:, row], actions[row], before.keys[row])
                reload = battle.reload_times(before.keys[row], before.t[row])
                after, _ = battle.advance(before.units[:, row], course, orders, reload)
                assert torch.equal(after, env.games.units[:, row])
                compared += 1
    assert compared > 20
    assert (env.games.units[HEALTH] <= 0).any()
