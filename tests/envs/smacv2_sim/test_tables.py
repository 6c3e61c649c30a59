"""The tables that games carry: those of their own teams, whenever they began."""

import pytest
import torch

from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings

TASKS = ("terran_5_vs_5", "protoss_10_vs_11", "zerg_10_vs_10")


def make(task: str, batch: int = 6, seed: int = 3) -> SMACv2Sim:
    return SMACv2Sim(SMACv2SimSettings(map_name=task), batch, seed)


def assert_own(env: SMACv2Sim) -> None:
    """The tables carried are those that the rules of the games' own teams, made anew, would have."""
    anew = env._tabulate(env.rules(env.games.keys))
    assert len(anew) == len(env._tables)
    assert all(torch.equal(*each) for each in zip(anew, env._tables, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_games_that_begin_at_different_times_have_the_tables_of_their_own_teams(task):
    env = make(task)
    env.reset()
    assert_own(env)
    for games in ([1], [1, 4], [0], [0, 1, 2, 3, 4, 5], [5]):
        before = env.spawner.kinds(env.games.keys)
        env.reset(torch.isin(torch.arange(6), torch.tensor(games)))
        assert not torch.equal(before, env.spawner.kinds(env.games.keys))
        assert_own(env)


def test_a_restored_environment_has_the_tables_of_the_saved_games():
    env, other = make("zerg_10_vs_10"), make("zerg_10_vs_10", seed=9)
    env.reset()
    env.reset(torch.arange(6) < 2)
    other.reset()
    other.load_state_dict(env.state_dict())
    assert_own(other)
    assert all(torch.equal(*each) for each in zip(env._tables, other._tables, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_rules_with_tables_are_those_of_the_teams(task):
    """Tensors of all shapes, and what was the same object stays one."""
    env = make(task)
    env.reset()
    own, put = env.rules(env.games.keys), env._ruled(env._tables)
    for name, table in vars(own.battle.constants).items():
        if isinstance(table, torch.Tensor):
            assert torch.equal(table, getattr(put.battle.constants, name)), name
    assert put.battle.constants is put.eyes.observer.constants
    assert put.battle.collision.terrain is env.terrain
    pairs = [
        (own.rewards.scale, put.rewards.scale),
        (own.eyes.observer.sight2, put.eyes.observer.sight2),
        (own.battle.duel, put.battle.duel),
        (own.battle.collision.touching, put.battle.collision.touching),
        (own.battle.collision.low, put.battle.collision.low),
        (own.battle.victims, put.battle.victims),
        *zip(own.battle.recoils, put.battle.recoils, strict=True),
    ]
    assert all(torch.equal(*pair) for pair in pairs)
    other = make(task, seed=8)
    other.reset()
    assert not torch.equal(own.battle.duel, env._ruled(other._tables).battle.duel)
