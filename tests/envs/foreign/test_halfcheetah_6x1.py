"""ADER's and FACMAC's HalfCheetah: six agents with a joint each, beside Gymnasium's own robot."""

import numpy as np
import pytest

from cohort.configuration import files
from cohort.envs.foreign.settings import MAMuJoCoSettings
from tests.envs.foreign.support import needs

# where in the robot's 17 numbers each agent's observation stands: own position and speed, neighbours' positions along
# bfoot - bshin - bthigh - fthigh - fshin - ffoot
SEEN = ([2, 11, 3, 5], [3, 12, 4, 2], [4, 13, 3], [5, 14, 2, 6], [6, 15, 7, 5], [7, 16, 6])


def make(**changes):
    needs("gymnasium_robotics")
    from cohort.envs.foreign.mamujoco_game import MAMuJoCoGame

    arguments = files.read(files.find("--env-config", "halfcheetah_6x1"))["env_args"]
    return MAMuJoCoGame(MAMuJoCoSettings.model_validate(arguments | changes, strict=False))


def test_agents_see_their_joint_and_its_neighbours_and_the_state_is_the_robots():
    game = make()
    spec = game.spec
    assert (spec.n_agents, spec.action_dim, spec.obs_dim, spec.state_dim) == (6, 1, 4, 17)
    assert (spec.episode_limit, spec.common_reward) == (1000, True)
    draw = np.random.default_rng(0)
    sight = game.reset(3)
    for _ in range(5):
        assert len(np.unique(sight.state)) == 17
        for own, places in zip(sight.obs, SEEN, strict=True):
            expected = np.zeros(
                4, dtype=np.float32
            )  # the feet have one neighbour: their last number is padding
            expected[: len(places)] = sight.state[places]
            assert np.array_equal(own, expected)
        sight = game.step(draw.uniform(-1, 1, (6, 1))).sight


def test_it_is_gymnasiums_robot_and_agents_move_its_actuators_in_order():
    """State and reward (speed - 0.1 |a|^2) step by step; the reward is that of one robot, not six."""
    game = make()
    import gymnasium

    robot, draw = gymnasium.make("HalfCheetah-v5"), np.random.default_rng(1)
    robot.reset(seed=0)
    game.reset(5)
    whole = game.env.single_agent_env.unwrapped
    robot.unwrapped.set_state(whole.data.qpos.copy(), whole.data.qvel.copy())
    for _ in range(10):
        actions = draw.uniform(-1, 1, (6, 1)).astype(np.float32)
        state, reward, _, _, info = robot.step(actions.ravel())
        played = game.step(actions)
        np.testing.assert_allclose(played.sight.state, state, rtol=1e-4, atol=1e-5)
        assert played.reward == pytest.approx(reward, abs=1e-5)
        assert reward == pytest.approx(info["x_velocity"] - 0.1 * float((actions**2).sum()), abs=1e-5)


def test_the_limit_truncates_and_nothing_terminates():
    game = make(time_limit=3)
    game.reset(1)
    ends = [game.step(np.zeros((6, 1))) for _ in range(3)]
    assert [(each.terminated, each.truncated) for each in ends] == [
        (False, False),
        (False, False),
        (False, True),
    ]
