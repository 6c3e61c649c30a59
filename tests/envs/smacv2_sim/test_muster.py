"""Units at the start: apart, on walkable ground, whole and numbered as SMACv2 does."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import ENERGY, HEALTH, SHIELD
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import race_of

BIG = ("protoss_10_vs_11", "terran_10_vs_11", "zerg_20_vs_23")


def start(task: str, batch: int = 64) -> SMACv2Sim:
    env = SMACv2Sim(SMACv2SimSettings(map_name=task), batch, seed=2)
    env.reset()
    return env


@pytest.mark.parametrize("task", BIG)
def test_nobody_stands_in_anybody(task):
    env = start(task)
    constants, position = env.rules(env.games.keys).battle.constants, env.games.units[:2]
    gap = position.unsqueeze(3) - position.unsqueeze(2)
    room = constants.separation.unsqueeze(2) + constants.separation.unsqueeze(1)
    layer = constants.air + 2 * constants.strides
    meet = (layer.unsqueeze(2) == layer.unsqueeze(1)) & ~torch.eye(constants.n_units, dtype=torch.bool)
    overlap = (1 - gap.norm(dim=0) / room)[meet]
    assert overlap.max() < 0.1


@pytest.mark.parametrize("task", BIG)
def test_everybody_stands_where_it_can_walk_and_is_whole(task):
    env = start(task)
    units, constants = env.games.units, env.rules(env.games.keys).battle.constants
    assert env.terrain.walkable(units[:2])[~constants.air].all()
    torch.testing.assert_close(units[HEALTH], constants.health)
    if task.startswith("protoss"):
        torch.testing.assert_close(units[SHIELD], constants.shield)
    if task.startswith("terran"):
        torch.testing.assert_close(units[ENERGY], constants.energy)
        assert constants.medic.any()


@pytest.mark.parametrize("task", BIG)
def test_agents_are_numbered_by_type_then_west_to_east_then_south_to_north(task):
    env = start(task)
    n, kinds = env.spec.n_agents, env.spawner.kinds(env.games.keys)
    names = [kind.name for kind in race_of(task).kinds]
    for game in range(env.batch_size):
        place = env.games.units[:2, game, :n].T.tolist()
        agents = [(names[kind], *at) for kind, at in zip(kinds[game, :n].tolist(), place, strict=True)]
        assert agents == sorted(agents)
    assert len(torch.unique(kinds, dim=0)) > env.batch_size / 2
