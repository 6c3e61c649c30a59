"""Games with PyMARL's own interface."""

import numpy as np
import pytest
import torch

from cohort.cli import main
from cohort.envs.foreign.env import Pymarl
from cohort.envs.foreign.pymarl_game import PymarlGame
from cohort.envs.workers.pool import GameFailure
from cohort.errors import UserError
from tests import harness
from tests.envs.foreign.support import needs

TEAMS = "tests.envs.foreign.pymarl_teams"


def game(**changes) -> PymarlGame:
    return PymarlGame(Pymarl.Settings(**{"entry_point": f"{TEAMS}:Corridor"} | changes))


@pytest.mark.parametrize("five", [False, True])
def test_what_a_game_shows_and_its_end(five):
    played = game(kwargs={"five": five}, info_keys=("furthest",))
    assert (played.spec.n_agents, played.spec.n_actions, played.spec.obs_dim) == (2, 3, 2)
    assert (played.spec.state_dim, played.spec.episode_limit) == (3, 6)
    start = played.reset(seed=5).state[:2]
    places = start.copy()
    for step in range(1, 4):
        actions = np.where(places < 4, 2, 0)
        places = places + (actions == 2)
        seen = played.step(actions)
        np.testing.assert_array_equal(seen.sight.obs, [[0, places[0]], [1, places[1]]])
        np.testing.assert_array_equal(seen.sight.state, [*places, step])
        np.testing.assert_array_equal(seen.sight.available_actions, [[True, p > 0, p < 4] for p in places])
        assert seen.reward == places.sum()
        assert seen.info == {"furthest": places.max()}
        assert seen.terminated == (places == 4).all()
        assert not seen.truncated
        if seen.terminated:
            break
    assert seen.terminated


@pytest.mark.parametrize("kwargs", [{}, {"says_limit": False}, {"five": True}])
@pytest.mark.parametrize(("time_limit", "steps"), [(None, 6), (4, 4)])
def test_a_limit_truncates(kwargs, time_limit, steps):
    played = game(kwargs=kwargs, time_limit=time_limit)
    played.reset(seed=1)
    ends = [played.step(np.zeros(2, dtype=int))[2:4] for _ in range(steps)]
    assert ends == [(False, False)] * (steps - 1) + [(False, True)]


def test_unavailable_actions_do_not_reach_the_game():
    played = game()
    places = played.reset(seed=1).state[:2]
    played.step(np.where(places == 2, 1, 0))
    played.step(np.array([1, 1]))  # both stand on 0, from where nobody goes back
    with pytest.raises(ValueError, match="not all available"):
        played.step(np.array([0, 1]))
    assert played._env.steps == 2


def test_episodes_go_on_as_they_would_have():
    settings = Pymarl.Settings(entry_point=f"{TEAMS}:Corridor")
    with Pymarl(settings, batch_size=2, seed=1) as env:
        env.reset()
        state = env.state_dict()
        expected = [env.reset().state for _ in range(5)]
        env.load_state_dict(state)
        assert all(torch.equal(env.reset().state, each) for each in expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entry_point": f"{TEAMS}:Nobody"}, "has no class Nobody"),
        ({"entry_point": "tests.no_such_module:Nobody"}, "No module named"),
        ({"entry_point": f"{TEAMS}:Unfinished"}, "has no method get_obs, get_state"),
        ({"kwargs": {"obs_shape": 5}}, r"get_obs\(\) gives rows of \[2, 2\] values"),
    ],
)
def test_what_is_not_such_a_game_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        game(**changes)
    with pytest.raises((GameFailure, UserError), match=message):
        Pymarl(Pymarl.Settings(**{"entry_point": f"{TEAMS}:Corridor"} | changes), batch_size=1, seed=1)


@pytest.mark.parametrize("name", ["Unspoken", "Wrapped"])
def test_a_game_that_does_not_say_what_it_is_shows_it(name):
    played = game(entry_point=f"{TEAMS}:{name}", time_limit=4)
    spec = played.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim, spec.episode_limit) == (
        2,
        3,
        2,
        3,
        4,
    )
    assert played.reset(seed=3).state[2] == 0
    with pytest.raises(UserError, match=r"type env_args\.time_limit=<steps>"):
        game(entry_point=f"{TEAMS}:{name}")


def test_a_package_that_a_game_needs_and_that_is_missing_is_named():
    needs("gymnasium")
    with pytest.raises(UserError, match=r"env_args.kwargs: No module named 'no_such_package'$"):
        game(entry_point="gymnasium:make", kwargs={"id": "no_such_package:Nothing-v0"})


@pytest.mark.parametrize("algorithm", ["qmix", "mappo"])
def test_a_short_training(tmp_path, algorithm):
    text = f"env_args.entry_point={TEAMS}:Corridor t_max=30 log_interval=10 test_interval=20"
    assert main(harness.words(algorithm, "pymarl", f"{text} local_results_path={tmp_path}")) == 0
    assert harness.metrics(harness.only_run(tmp_path))
