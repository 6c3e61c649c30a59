"""Whole games: alone and side by side, resumed, rewarded."""

import pytest
import torch

from cohort.components.compiled import Compiled
from cohort.components.recorded import Recorded
from cohort.envs.sc2_sim.battles import STORE
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.planes import HEALTH, NO_OP, STOP
from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from tests.components.test_compiled import needs_a_compiler


def make(task: str, batch: int = 4, seed: int = 3, **options) -> SMACv2Sim:
    first_game = options.pop("first_game", 0)
    return SMACv2Sim(SMACv2SimSettings(map_name=task, **options), batch, seed, first_game=first_game)


def constants(env: SMACv2Sim) -> UnitConstants:
    return env.rules(env.games.keys).battle.constants


def choose(available: torch.Tensor, step: int) -> torch.Tensor:
    """Actions of each game that depend on nothing but the step and what it may do."""
    wish = (
        torch.arange(available.shape[2]) * 7919
        + step * 104729
        + torch.arange(available.shape[1]).unsqueeze(1)
    ) % 97
    return torch.where(available, wish + 1, 0).argmax(2)


def play(env: SMACv2Sim, steps: int) -> list[torch.Tensor]:
    trace, seen = [], env.observation or env.reset()
    for step in range(steps):
        transition = env.step(choose(seen.available_actions, step))
        trace += [*transition.observation, transition.reward, transition.terminated, env.games.units]
        seen = env.reset(transition.terminated | transition.truncated)
        trace += [*seen]
    return trace


@pytest.mark.parametrize("task", ["terran_10_vs_11", "protoss_5_vs_5", "zerg_5_vs_5"])
def test_a_game_alone_is_the_game_among_others(task):
    games = 8
    together = play(make(task, games), 60)
    for game in (0, 5):
        alone = play(make(task, 1, first_game=game), 60)
        for one, many in zip(alone, together, strict=True):
            axis = 1 if one.dim() == 3 and one.shape[1] == 1 and many.shape[1] == games else 0
            torch.testing.assert_close(one, many.narrow(axis, game, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("task", ["terran_5_vs_5", "protoss_5_vs_5", "zerg_10_vs_10"])
def test_a_restored_game_goes_on_bit_for_bit(task):
    one = make(task)
    play(one, 30)
    state = one.state_dict()
    other = make(task, seed=99)
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(one.observation, other.observation, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(play(one, 40), play(other, 40), strict=True))


@pytest.mark.parametrize("task", ["terran_5_vs_5", "protoss_5_vs_5", "zerg_5_vs_5"])
def test_recorded_steps_are_the_steps_themselves_bit_for_bit(task):
    """Over many episodes, and from another game's state: what is recorded keeps no team."""
    plain, recorded = make(task, 8), make(task, 8)
    plain._advance = plain._play
    recorded._advance = Recorded(recorded._play)  # from the first step on
    for _ in range(2):
        assert all(torch.equal(*each) for each in zip(play(plain, 70), play(recorded, 70), strict=True))
        assert plain.games.episode.min() > 0
        other = make(task, 8, seed=99)
        play(other, 20)
        for env in (plain, recorded):
            env.load_state_dict(other.state_dict())
    assert len(recorded._advance._programs) == 1


@pytest.mark.parametrize("task", ["terran_5_vs_5", "protoss_5_vs_5", "zerg_5_vs_5"])
def test_the_compiler_is_given_the_step_itself_with_teams_as_arguments(task, monkeypatch):
    """Over several episodes: the graph before the compiler changes it is bit for bit the step."""
    graphs = []
    monkeypatch.setattr("torch._inductor.compile", lambda graph, *_, **__: graphs.append(graph) or graph)
    plain, compiled = make(task, 8), make(task, 8, compile=True)
    plain._advance = plain._play
    assert all(torch.equal(*each) for each in zip(play(plain, 70), play(compiled, 70), strict=True))
    assert plain.games.episode.min() > 0
    assert len(graphs) == 1


@needs_a_compiler
def test_the_compiled_step_equals_the_eager_one():
    plain, compiled = make("terran_5_vs_5", step_mul=1), make("terran_5_vs_5", step_mul=1, compile=True)
    plain.reset()
    compiled.reset()
    for step in range(60):
        actions = choose(plain.observation.available_actions, step)
        expected, got = plain.step(actions), compiled.step(actions)
        torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-3)
        compiled.load_state_dict(plain.state_dict())  # rounding differences must not grow into other battles
        if step % 20 == 19:  # other teams in half of the games
            plain.reset(torch.arange(4) < 2)
            compiled.reset(torch.arange(4) < 2)
    assert plain.games.episode.tolist() == [3, 3, 0, 0]


@needs_a_compiler
def test_what_one_tick_writes_the_next_reads_when_compiled():
    """Two ticks of twenty hurt units with medivacs: a sum by `scatter_add` came after the loop that read it."""
    env = make("terran_10_vs_10", 32, step_mul=2)
    env.reset()
    env.games.units[HEALTH] *= 0.5

    def battle(games: Games, actions: torch.Tensor, tables: tuple[torch.Tensor, ...]) -> torch.Tensor:
        rules = env._ruled(tables).battle
        orders = rules.orders(games.units, actions, games.keys)
        reload = rules.reload_times(games.keys, games.t)
        return rules.advance(games.units, games.course, orders, reload)[0]

    given = env.games, choose(env.observation.available_actions, 0), env._tables
    expected = battle(*given)
    assert int((expected[HEALTH] > env.games.units[HEALTH]).sum()) > 10
    torch.testing.assert_close(Compiled(battle, STORE)(*given), expected, atol=1e-5, rtol=1e-5)


def test_a_state_of_another_task_is_refused():
    with pytest.raises(ValueError, match="4 games of zerg_5_vs_5, this environment has 4 of terran_5_vs_5"):
        make("terran_5_vs_5").load_state_dict(make("zerg_5_vs_5").state_dict())


def test_teams_change_from_episode_to_episode_and_stay_within_one():
    env = make("terran_5_vs_5", 16)
    env.reset()
    first = constants(env).health
    env.step(choose(env.observation.available_actions, 0))
    mask = torch.arange(16) < 8
    env.reset(mask)
    second = constants(env).health
    assert torch.equal(first[8:], second[8:])
    assert (first[:8] != second[:8]).any(1).sum() > 4


@pytest.mark.parametrize("task", ["terran_5_vs_5", "protoss_5_vs_5", "zerg_5_vs_5"])
def test_a_won_battle_pays_twenty_where_nothing_recovers(task):
    env = make(task, 64)
    env.reset()
    state = env.state_dict()
    state["units"][HEALTH, :, 5:] = 0.01  # one hit each
    state["units"][4:6, :, 5:] = 0
    env.load_state_dict(state)
    scale = env.rules(env.games.keys).rewards.scale
    worth = 20 / scale  # of each episode's own team
    bodies = (constants(env).health + constants(env).shield)[:, 5:].sum(1)
    torch.testing.assert_close(worth, bodies + 5 * 10 + 200)


def test_shields_that_recover_pay_nothing():
    env = make("protoss_5_vs_5", 1)
    env.reset()
    units = env.games.units
    hurt = units.clone()
    hurt[4, :, 5:] -= 10
    none = torch.zeros(1, dtype=torch.bool)
    rewards = env.rules(env.games.keys).rewards
    assert rewards(hurt, units, none, none).item() == 0
    assert rewards(units, hurt, none, none).item() > 0


def test_enemies_come_to_a_team_that_waits():
    """They have an order to attack the nearest agent, wherever it is, and no other while that one lives."""
    env = make("protoss_5_vs_5", 8)
    seen = env.reset()
    for _ in range(60):
        seen = env.step(torch.where(seen.available_actions[:, :, STOP], STOP, NO_OP)).observation
    lost = env.games.units[HEALTH, :, :5] <= 0
    assert lost.any(1).all()
