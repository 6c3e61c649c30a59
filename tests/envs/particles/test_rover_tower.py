"""Rover-Tower against the numbers of its authors' rules, game by game, and the returns of simple teams."""

import itertools
import math

import numpy as np
import pytest
import torch

from cohort.configuration.plan import Sources, make_plan
from cohort.envs.particles.render import draw
from cohort.envs.particles.rover_tower import RoverTowerSettings
from cohort.errors import UserError
from tests.envs.particles.support import (
    arguments,
    assert_goes_on_restored,
    assert_same_alone,
    make,
    random_actions,
)

NAME = "rover_tower"
ACTIONS = 5


def put(env, **fields):
    """A game that has begun, with some of its scene changed; a tensor without games is that of each."""
    env.reset()
    state = env.state_dict()
    for name, value in fields.items():
        state[name] = torch.as_tensor(value, dtype=torch.float32).expand_as(state[name]).clone()
    env.load_state_dict(state)
    return env


def pairs(*towers: int) -> torch.Tensor:
    """The pairing in which rover i has the i-th of these towers."""
    return torch.nn.functional.one_hot(torch.tensor(towers), len(towers)).float()


def test_sizes_are_those_of_the_paper():
    spec = make(NAME).spec
    assert (spec.n_agents, spec.n_actions, spec.action_dim, spec.obs_dim) == (8, 5, 0, 13)
    assert (spec.episode_limit, spec.common_reward, spec.state_dim) == (25, False, 8 * 13)


def test_the_first_places_of_a_rover_that_is_pushed():
    expected = [0.0225, 0.061875, 0.113906, 0.175430]
    for action, axis, sign in ((1, 0, 1), (2, 0, -1), (3, 1, 1), (4, 1, -1)):
        env = put(make(NAME), agents=torch.zeros(8, 2))
        found = []
        for _ in expected:
            env.step(torch.full((1, 8), action))
            found.append(sign * env.scene.agents[0, 0, axis].item())
        assert found == pytest.approx(expected, abs=1e-6)
        assert (env.scene.agents[0, :, 1 - axis] == 0).all()
        assert (env.scene.agents[0, 4:] == 0).all(), "a tower moves"


def test_rovers_reach_their_greatest_speed_and_keep_their_direction():
    """Damping would leave a constant push at a speed of 0.9; a rover that is faster already is slowed to 1."""
    env = put(make(NAME), velocities=torch.tensor([[3.0, 4.0]] * 4))
    env.step(torch.zeros(1, 8, dtype=torch.int64))
    assert env.scene.velocities[0].flatten().tolist() == pytest.approx([0.6, 0.8] * 4)


@pytest.mark.parametrize(("apart", "paid"), [((0.3, 0.4), -0.25), ((0.3, 0.2), 9.87)])
def test_rewards_on_a_hand_placed_scene(apart, paid):
    """Rover 0 has tower 2; only that pair is paid for where rover 0 is."""
    far = torch.tensor([[9.0, 0.0]] * 4)
    env = put(make(NAME), agents=torch.zeros(8, 2), pairing=pairs(2, 0, 1, 3), goals=far)
    goals = far.clone()
    goals[2] = torch.tensor(apart)
    put(env, agents=torch.zeros(8, 2), pairing=pairs(2, 0, 1, 3), goals=goals)
    expected = [paid, -81, -81, -81, -81, -81, paid, -81]
    assert env.reward(env.scene)[0].tolist() == pytest.approx(expected, abs=1e-5)
    transition = env.step(torch.zeros(1, 8, dtype=torch.int64))
    assert transition.reward[0].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("how", "paid"), [("sum", 2 * 9.87 - 6 * 81), ("mean", (2 * 9.87 - 6 * 81) / 8)])
def test_one_reward_for_the_team(how, paid):
    goals = torch.tensor([(9.0, 0.0), (9, 0), (0.3, 0.2), (9, 0)])
    env = make(NAME, common_reward=True, reward_scalarisation=how)
    put(env, agents=torch.zeros(8, 2), pairing=pairs(2, 0, 1, 3), goals=goals)
    assert env.spec.common_reward
    assert env.step(torch.zeros(1, 8, dtype=torch.int64)).reward.tolist() == pytest.approx([paid], abs=1e-4)


def test_what_agents_see_and_that_a_message_is_heard_at_the_next_moment():
    env = make(NAME, batch_size=7, seed=4)
    before, said = env.reset(), torch.zeros(7, 4, ACTIONS)
    for actions in (None, *random_actions(env, 5)):
        if actions is not None:
            before, said = env.step(actions).observation, torch.eye(ACTIONS)[actions[:, 4:]]
        now = env.scene
        for game, rover in itertools.product(range(7), range(4)):
            tower = int(now.pairing[game, rover].argmax())
            place = now.agents[game, rover]
            heard = torch.cat(
                (pairs(0, 1, 2, 3)[tower], said[game, tower], place, now.velocities[game, rover])
            )
            assert torch.equal(before.obs[game, rover], heard)
            seen = torch.cat((pairs(0, 1, 2, 3)[rover], place, now.goals[game, tower], torch.zeros(5)))
            assert torch.equal(before.obs[game, 4 + tower], seen)
    assert torch.equal(before.state, before.obs.flatten(1))


def test_every_episode_pairs_anew_and_draws_goals_independently():
    games = 6000
    env = make(NAME, batch_size=games)
    env.reset()
    pairing, goals, landmarks = env.scene.pairing, env.scene.goals, env.scene.landmarks
    assert (pairing.sum(1) == 1).all()
    assert (pairing.sum(2) == 1).all()
    assert pairing.mean(0).flatten().tolist() == pytest.approx([0.25] * 16, abs=0.02)
    wanted = (goals[:, :, None] == landmarks[:, None]).all(-1)  # [B, P, L]
    assert (wanted.sum(2) == 1).all(), "a goal is no landmark"
    assert wanted.float().mean((0, 1)).tolist() == pytest.approx([1 / 6] * 6, abs=0.01)
    same = (wanted[:, 0] & wanted[:, 1]).any(1).float().mean()
    assert same.item() == pytest.approx(1 / 6, abs=0.015), "two towers may want the same landmark"
    assert not torch.equal(env.reset() and env.scene.pairing, pairing)


def test_games_side_by_side_are_the_same_games_alone():
    games = make(NAME, batch_size=6)
    games.reset()
    alone = [
        put(make(NAME), **{field: each[i] for field, each in games.scene._asdict().items()}) for i in range(6)
    ]
    assert_same_alone(games, alone, obs_atol=1e-6)


def test_a_restored_game_goes_on_bit_for_bit():
    assert_goes_on_restored(NAME)


def team_returns(policy: str, games: int = 1000) -> tuple[float, float, float]:
    """The mean return of an agent under a scripted team, its standard error, and a pair's deviation."""
    env = make(NAME, batch_size=games, seed=5)
    env.reset()
    draws, total = torch.Generator().manual_seed(0), torch.zeros(games, 8)
    for t in range(env.spec.episode_limit):
        actions = torch.zeros((games, 8), dtype=torch.int64)
        if policy == "random":
            actions = torch.randint(ACTIONS, actions.shape, generator=draws)
        elif policy == "told" or (policy == "told at the next moment" and t):
            actions[:, :4] = greedy(env.scene)
        total += env.step(actions).reward
    mean = total.mean(1)
    return float(mean.mean()), float(mean.std()) / math.sqrt(games), float(total.std())


def greedy(scene) -> torch.Tensor:
    """Rovers along the longer axis of the way that is left to the goal."""
    left = torch.bmm(scene.pairing, scene.goals) - scene.agents[:, :4]
    axis = left.abs().argmax(-1)
    negative = left.gather(-1, axis.unsqueeze(-1)).squeeze(-1) < 0
    return 1 + 2 * axis + negative


@pytest.mark.parametrize(
    ("policy", "published"),
    [("random", -7.3), ("still", -3.8), ("told", 133.3), ("told at the next moment", 123.7)],
)
def test_returns_of_simple_teams(policy, published):
    """Measured with an independent implementation over as many games or fewer: both means have an error."""
    mean, error, _ = team_returns(policy)
    assert abs(mean - published) < 3 * math.sqrt(2) * error


def test_a_team_that_does_nothing_earns_what_it_must():
    """Two uniform places in a square of side 2: E d^2 = 4/3, and the chance of d < r by the law of their distance."""
    mean, error, _ = team_returns("still", games=20_000)
    r = math.sqrt(0.1725) / 2
    near = math.pi * r**2 - 8 / 3 * r**3 + r**4 / 2
    assert abs(mean - 25 * (10 * near - 4 / 3)) < 3 * error


def test_a_random_teams_returns_spread_as_much_as_they_should():
    assert team_returns("random")[2] == pytest.approx(84, rel=0.1)


def test_it_is_drawn_with_the_pairs_of_the_game_that_is_shown():
    env = put(make(NAME, batch_size=2), pairing=torch.stack((pairs(0, 1, 2, 3), pairs(3, 2, 1, 0))))
    places = env.positions(env.scene).numpy()
    for game, towers in ((0, (0, 1, 2, 3)), (1, (3, 2, 1, 0))):
        lines = env.marks(places[game], game).lines
        for i, tower in enumerate(towers):
            (rover, mast), (_, goal) = lines[2 * i : 2 * i + 2]
            assert np.array_equal(rover, places[game, i])
            assert np.array_equal(mast, places[game, 4 + tower])
            assert np.array_equal(goal, env.scene.goals[game, tower])
    before = draw(env, game=1)
    env.step(random_actions(env, 1)[0])
    assert not np.array_equal(before, draw(env, game=1))


@pytest.mark.parametrize("changed", [{"n_pairs": 0}, {"n_landmarks": 0}, {"n_agents": 8}])
def test_impossible_games_are_refused(changed):
    (key,) = changed
    with pytest.raises(ValueError, match=key):
        RoverTowerSettings(**arguments(NAME, **changed))
    with pytest.raises(UserError, match=key):
        make_plan(Sources.read("maac", NAME, {"env_args": changed}))
