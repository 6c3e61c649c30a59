"""The environment's contract: endings, freezing, resets, repetition, resume, cost."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cohort.components.recorded import Recorded
from cohort.envs.base import Transition
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.planes import FIRST_ATTACK, HEALTH, NORTH, STOP
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.single import SingleGame
from tests.components.test_compiled import needs_a_compiler

from .scripts import nearest, random_script
from .support import change, make, positions, stop


def assert_same(a, b):
    """Nested tuples and dictionaries of tensors are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        assert_same(list(a.values()), list(b.values()))
    elif isinstance(a, list | tuple):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def row(tree, b):
    """Row `b` of every tensor of an observation or transition, batch dimension kept."""
    if tree is None:
        return None
    if isinstance(tree, torch.Tensor):
        return tree[b : b + 1]
    if isinstance(tree, dict):
        return {name: row(value, b) for name, value in tree.items()}
    return type(tree)(*(row(value, b) for value in tree))


def test_stepping_needs_a_reset():
    with pytest.raises(RuntimeError, match="reset"):
        SC2Sim(SC2SimSettings(), 1, 0).step(torch.ones(1, 3, dtype=torch.int64))


def test_every_agent_always_has_an_action_and_the_dead_only_one():
    env, script = make("2s3z", 32, seed=1), random_script(2)
    dead_seen = 0
    for _ in range(60):
        env.step(script(env))
        available, alive = env.observation.available_actions, env.games.units[HEALTH, :, :5] > 0
        assert torch.equal(available[:, :, 0], ~alive)
        assert torch.equal(available[:, :, STOP], alive)
        assert not available[:, :, STOP:][~alive].any()
        assert not env.observation.obs[~alive].any()
        dead_seen += (~alive).sum().item()
    assert dead_seen > 100


def test_unavailable_actions_act_as_stop():
    for action in (0, FIRST_ATTACK, NORTH):
        env, still = make("3m"), make("3m")
        place = positions(env)
        place[0, :3, 1] = torch.tensor([24.5, 24.6, 24.7])  # no way north; enemies are out of reach
        change(env, place)
        change(still, place)
        env.step(torch.full((1, 3), action))
        still.step(torch.full((1, 3), STOP))
        assert_same(env.games, still.games)
    dead = make("3m")
    change(dead, health=torch.tensor([[0.0, 45, 45, 45, 45, 45]]))
    dead.step(torch.full((1, 3), STOP))
    assert dead.games.actions.tolist() == [[0, 1, 1]]


def test_a_finished_battle_is_frozen_until_its_reset():
    env = make("3m", 4, seed=1)
    health = env.games.units[HEALTH].clone()
    health[1, 3:] = 1.0
    change(env, health=health, t=torch.tensor([0, 0, 40, 0]))
    place = positions(env)
    place[1, 3:] = place[1, :3] + torch.tensor([4.0, 0])
    change(env, place)
    while not env.games.terminated[1]:
        first = env.step(nearest(env))
    assert first.info["battle_won"].tolist() == [False, True, False, False]
    assert first.reward[1] > 10
    after = env.step(torch.full((4, 3), STOP))
    assert after.reward[1] == 0
    assert after.terminated[1]
    assert_same(row(after.observation, 1), row(first.observation, 1))
    assert_same({k: v[1] for k, v in after.info.items()}, {k: v[1] for k, v in first.info.items()})
    assert not torch.equal(after.observation.state[0], first.observation.state[0])  # the others go on

    fresh = make("3m", 4, seed=1).observation
    others = env.reset(torch.tensor([False, True, False, False]))
    assert_same(row(others, 1), row(fresh, 1))
    assert_same(row(others, 0), row(after.observation, 0))
    assert env.games.t[1] == 0
    assert env.games.episode.tolist() == [0, 1, 0, 0]
    assert not env.games.terminated.any()


@pytest.mark.parametrize("continuing", [False, True])
def test_the_step_limit_ends_an_episode_one_way_or_the_other(continuing):
    env = make("3m", 2, continuing_episode=continuing)
    change(env, torch.tensor([[[2.5, 7.5]] * 3 + [[29.0, 24]] * 3]).repeat(2, 1, 1), t=torch.tensor([58, 0]))
    ends = [env.step(stop(env)) for _ in range(3)]
    assert [end.terminated.tolist() for end in ends] == [[False, False]] + [[not continuing, False]] * 2
    assert [end.truncated.tolist() for end in ends] == [[False, False]] + [[continuing, False]] * 2
    assert not ends[-1].info["battle_won"].any()


def test_an_ending_at_the_limit_is_a_termination():
    env = make("3m", continuing_episode=True)
    place = torch.tensor([[[12.0, 16], [12, 17], [12, 18], [15, 16], [15, 17], [15, 18]]])
    change(env, place, health=torch.tensor([[45.0, 45, 45, 1, 1, 1]]), t=torch.tensor([59]))
    end = env.step(torch.tensor([[6, 7, 8]]))
    assert (end.terminated.item(), end.truncated.item(), end.info["battle_won"].item()) == (True, False, True)


def test_losing_ends_the_battle():
    env = make("3m")
    change(env, health=torch.tensor([[0.0, 0, 1, 45, 45, 45]]))
    while not env.games.terminated:
        end = env.step(stop(env))
    assert end.info["dead_allies"].item() == 3
    assert not end.info["battle_won"].item()


@pytest.mark.parametrize(
    "map_name",
    [
        "3m",
        "2s3z",
        "27m_vs_30m",
        "MMM2",
        "1c3s5z",
        "bane_vs_bane",
        "2m_vs_1z",
    ],
)
def test_a_battle_does_not_depend_on_the_others_beside_it(map_name):
    games = 32 if map_name in ("3m", "2s3z", "27m_vs_30m") else 8
    many = make(map_name, games, seed=7, reset_noise=0.1)
    lonely = {b: make(map_name, 1, seed=7, reset_noise=0.1, first_game=b) for b in (0, 5, games - 1)}
    hurt = 0
    for _ in range(50 if games == 32 else 30):
        actions = nearest(many)
        transition = many.step(actions)
        for b, one in lonely.items():
            assert_same(row(transition, b), one.step(actions[b : b + 1]))
            assert torch.equal(many.games.units[:, b], one.games.units[:, 0])
        hurt += (many.games.units[HEALTH] == 0).sum().item()
        over = many.games.terminated
        many.reset(over)
        for b, one in lonely.items():
            one.reset(over[b : b + 1])
    assert hurt > 20
    assert not torch.equal(many.games.units[:, 0], many.games.units[:, 5])


@pytest.mark.parametrize("map_name", ["3m", "2s3z", "MMM2", "2m_vs_1z", "bane_vs_bane", "corridor"])
def test_environments_that_step_together_are_each_as_if_alone(map_name):
    kinds = [(3, 7), (1, 7), (5, 8)]  # games, seed
    together, alone = ([make(map_name, *kind, reset_noise=0.1) for kind in kinds] for _ in range(2))
    for step in range(40):
        actions = [nearest(env) for env in alone]
        for joint, one in zip(
            SC2Sim.step_together(together, actions), map(SC2Sim.step, alone, actions), strict=True
        ):
            assert_same(joint, one)
        for joint, one in zip(together, alone, strict=True):
            assert_same(joint.state_dict(), one.state_dict())
            if step % 10 == 9:  # those that are over wait frozen beside the others until then
                assert_same(joint.reset(joint.games.terminated), one.reset(one.games.terminated))
    assert all((env.games.units[HEALTH] < env.spawner.start[HEALTH]).any() for env in alone)


def test_equal_seeds_repeat_and_others_differ():
    runs = []
    for seed in (3, 3, 4):
        env, script = make("3m", 8, seed=seed), random_script(0)
        runs.append([env.step(script(env)) for _ in range(25)])
    assert_same(runs[0], runs[1])
    assert not torch.equal(runs[0][-1].observation.state, runs[2][-1].observation.state)


@pytest.mark.parametrize("map_name", ["2s3z", "MMM2", "2m_vs_1z", "bane_vs_bane"])
def test_a_saved_state_continues_bit_for_bit_in_another_environment(map_name):
    env, script = make(map_name, 8, seed=3, reset_noise=0.2), random_script(0)
    for _ in range(30):
        env.step(script(env))
    saved = env.state_dict()
    other = SC2Sim(env.settings, 8, seed=99)
    other.load_state_dict(saved)
    assert_same(env.observation, other.observation)
    for step in range(60):
        actions = script(env)
        assert_same(env.step(actions), other.step(actions))
        if step % 20 == 19:
            assert_same(env.reset(env.games.terminated), other.reset(other.games.terminated))
    untouched = env.state_dict()
    env.step(script(env))
    assert_same(untouched, other.state_dict())  # the dictionary does not follow the game


def test_a_state_of_another_map_or_batch_is_refused():
    saved = make("3m", 2).state_dict()
    for other in (make("8m", 2), make("3m", 3)):
        with pytest.raises(ValueError, match="saved state"):
            other.load_state_dict(saved)


class CountOperations(TorchDispatchMode):
    """Counts calls of tensor operations."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        CountOperations.count += 1
        return function(*args, **(kwargs or {}))


def operations(map_name: str, batch_size: int) -> int:
    env = make(map_name, batch_size)
    env.battle.collision.passes = 1  # crowds get more passes: a constant, chosen with the map
    actions = stop(env)
    CountOperations.count = 0
    with CountOperations():
        env._play(env.games, env.observation.available_actions, actions)
    return CountOperations.count


def test_the_number_of_operations_depends_neither_on_games_nor_on_units():
    for alike, limit in ((("3m", "27m_vs_30m"), 720), (("MMM", "MMM2"), 1300), (("corridor",), 1400)):
        counts = {operations(name, batch) for name in alike for batch in (1, 64)}
        assert len(counts) == 1
        assert counts.pop() < limit


@pytest.mark.parametrize("map_name", list(all_maps()))
def test_the_recorded_step_is_the_functions_own_bit_for_bit(map_name):
    env, script = make(map_name, 4, seed=3, reset_noise=0.05), random_script(4)
    env._advance = Recorded(env._play)  # from the first step on
    for step in range(12):
        before, actions = (env.games, env.observation.available_actions), script(env)
        got = env.step(actions)
        games, observation, reward, info = env._play(*before, actions)
        assert_same(env.games, games)
        assert_same(got, Transition(observation, reward, games.terminated, games.truncated, info))
        if step == 6:
            env.reset(torch.arange(4) < 2)


@needs_a_compiler
def test_the_compiled_step_equals_the_eager_one():
    plain = make("3m", 8, seed=2, step_mul=2)
    compiled = make("3m", 8, seed=2, step_mul=2, compile=True)
    for step in range(40):
        actions = nearest(plain)
        expected, got = plain.step(actions), compiled.step(actions)
        torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-3)
        compiled.load_state_dict(plain.state_dict())  # rounding differences must not grow into other battles
        if step == 20:
            plain.reset(torch.arange(8) < 4)
            compiled.reset(torch.arange(8) < 4)


def ending(map_name: str, allies: list[int], enemies: list[int], continuing: bool = False):
    """The transition of a battle in which only the units of these numbers are left, and stop."""
    env = make(map_name, continuing_episode=continuing)
    n = env.spec.n_agents
    alive = torch.zeros(1, env.battle.n_units)
    alive[0, allies] = 1
    alive[0, [n + enemy for enemy in enemies]] = 1
    change(env, health=alive * env.battle.constants.health, cooldown=1e6)
    return env.step(stop(env))


@pytest.mark.parametrize(
    ("allies", "enemies", "over", "won"),
    [
        ([0, 9], [0, 9], False, False),
        ([9], [0, 9], True, False),  # a medivac is left
        ([9], [9], True, False),  # two: SMAC asks for the defeat first
        ([9], [], True, False),
        ([], [9], True, False),
        ([], [], True, False),
        ([0], [9], True, True),
        ([0], [], True, True),
        ([0], [0], False, False),
    ],
)
def test_medivacs_alone_do_not_keep_a_battle_going(allies, enemies, over, won):
    end = ending("MMM", allies, enemies)
    assert (end.terminated.item(), end.info["battle_won"].item()) == (over, won)
    assert end.info["dead_allies"].item() == 10 - len(allies)
    assert end.info["dead_enemies"].item() == 10 - len(enemies)


def test_on_maps_with_medivacs_mutual_death_is_a_defeat():
    for map_name, reward in (("MMM", -7.0), ("3m", 0.0)):
        env = make(map_name, reward_defeat=-7.0, reward_scale=False, reward_death_value=0.0)
        change(env, health=0.0)
        assert env.step(stop(env)).reward.item() == reward


@pytest.mark.parametrize("map_name", ["MMM2", "bane_vs_bane", "2c_vs_64zg", "2m_vs_1z"])
def test_the_step_is_one_graph(map_name, monkeypatch):
    """What the compiler needs: no branch on data, nothing but tensor operations."""
    monkeypatch.setattr("torch._inductor.compile", lambda graph, inputs, options: graph)
    env = make(map_name, 2, step_mul=2, compile=True)
    arguments = env.games, env.observation.available_actions, stop(env)
    assert_same(env._advance(*arguments), env._play(*arguments))


def test_env_info_is_pymarls():
    expected = {"state_shape": 48, "obs_shape": 30, "n_actions": 9, "n_agents": 3, "episode_limit": 60}
    assert make("3m").get_env_info() == expected


def test_a_single_game_speaks_pymarl():
    game, env = SingleGame(SC2SimSettings(map_name="2s3z", reset_noise=0.0), seed=5), make("2s3z", seed=5)
    obs, state = game.reset()
    assert len(obs) == 5
    assert obs[0].shape == (game.get_obs_size(),)
    assert state.shape == (game.get_state_size(),)
    over, total = False, 0.0
    while not over:
        actions = nearest(env)
        transition = env.step(actions)
        reward, over, info = game.step(actions[0].tolist())
        assert reward == transition.reward.item()
        assert (game.get_state() == transition.observation.state[0].numpy()).all()
        assert game.get_avail_actions() == transition.observation.available_actions[0].int().tolist()
        assert len(game.get_avail_agent_actions(0)) == game.get_total_actions()
        total += reward
    assert total > 1
    assert info.keys() == {"battle_won", "dead_allies", "dead_enemies"}
    assert over == env.games.terminated.item()


def test_a_single_game_reports_the_limit_only_when_the_episode_goes_on():
    for continuing in (False, True):
        game = SingleGame(SC2SimSettings(continuing_episode=continuing), seed=0)
        game.reset()
        corner = torch.tensor([[[2.5, 7.5]] * 3 + [[29.0, 24]] * 3])
        change(game.env, corner, t=torch.tensor([59]))
        _, over, info = game.step([1, 1, 1])
        assert over
        assert info.get("episode_limit", False) == continuing
