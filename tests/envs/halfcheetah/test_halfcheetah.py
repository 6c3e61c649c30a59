"""The 2-agent HalfCheetah against Gymnasium-Robotics', step for step, and as a game of chains."""

import importlib.util

import pytest
import torch

from cohort.cli import main
from cohort.components.seeding import generator
from cohort.envs.halfcheetah.env import HalfCheetahDir, HalfCheetahDirSettings
from cohort.envs.halfcheetah.game import N_START, HalfCheetahGame
from cohort.envs.halfcheetah.robots import PACKAGES

installed = all(importlib.util.find_spec(package) for package in (*PACKAGES, "gymnasium_robotics"))
needs_mujoco = pytest.mark.skipif(not installed, reason="mujoco is not installed")


def make(batch_size: int = 3, direction: str = "right", reward_scale: float = 1.0, steps: int = 200):
    settings = HalfCheetahDirSettings(direction=direction, reward_scale=reward_scale, episode_limit=steps)
    return HalfCheetahDir(settings, batch_size=batch_size, seed=1)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@needs_mujoco
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_it_is_gymnasium_robotics_step_for_step(direction):
    """Same starts, same clipped actions, 200 steps: no difference at all in what is seen and paid."""
    from gymnasium_robotics import mamujoco_v1

    theirs = mamujoco_v1.parallel_env(
        scenario="HalfCheetah",
        agent_conf="2x3",
        agent_obsk=1,
        max_episode_steps=200,
        forward_reward_weight=direction,
    )
    game = HalfCheetahGame(direction, reward_scale=1.0)
    matches, steps = 2, 200
    actions = noise(matches, steps, 2, 3)
    start = game.chance((matches,), 0, generator(3, "test")).double()
    game.robots.place(start.numpy())
    seen, paid = [torch.from_numpy(game.robots.seen())], []
    for step in range(steps):
        paid.append(game.act(actions[:, step]))
        seen.append(torch.from_numpy(game.robots.seen()))
    clipped = actions.clamp(-1, 1)
    for match in range(matches):
        theirs.reset(seed=0)
        single = theirs.single_agent_env.unwrapped
        away = torch.cat([2 * start[match, :9] - 1, start[match, 9:]]).numpy()
        single.set_state(single.init_qpos + 0.1 * away[:9], single.init_qvel + 0.1 * away[9:])
        assert torch.equal(torch.from_numpy(theirs.state()), seen[0][match])
        for step in range(steps):
            both = {f"agent_{agent}": clipped[match, step, agent].numpy() for agent in range(2)}
            _, reward, terminated, _, _ = theirs.step(both)
            assert not terminated["agent_0"]
            assert torch.equal(torch.from_numpy(theirs.state()), seen[step + 1][match])
            assert float(reward["agent_0"]) == float(paid[step][match])
    theirs.close()


@needs_mujoco
def test_the_first_agent_moves_the_back_leg():
    game = HalfCheetahGame(1.0, 1.0)
    names = [game.robots.model.actuator(index).name for index in range(6)]
    assert names == ["bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"]


@needs_mujoco
def test_to_the_left_only_the_way_changes_its_sign_and_the_scale_multiplies_all():
    actions = noise(20, 3, 2, 3)
    price = 0.1 * actions.clamp(-1, 1).square().sum(dim=(2, 3))
    right, left, scaled = (
        torch.stack([env.step(each).reward for each in actions]).double()
        for env in (make(), make(direction="left"), make(reward_scale=0.01))
    )
    torch.testing.assert_close(left + price, -(right + price), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scaled, 0.01 * right, atol=1e-7, rtol=1e-5)
    assert (right + price).abs().max() > 0.1


@needs_mujoco
def test_robots_begin_around_rest_as_the_law_says():
    game = HalfCheetahGame(1.0, 1.0)
    start = game.chance((2000,), 0, generator(1, "test"))
    assert start.shape == (2000, N_START)
    game.robots.place(start.double().numpy())
    state = torch.from_numpy(game.robots.seen())
    places = torch.tensor([float(data.qpos[0]) for data in game.robots._now])
    positions = torch.cat([places.unsqueeze(1), state[:, :8]], dim=1)
    assert positions.abs().max() <= 0.1
    assert positions.std(dim=0).mean().item() == pytest.approx(0.1 / 3**0.5, rel=0.03)
    assert state[:, 8:].std(dim=0).mean().item() == pytest.approx(0.1, rel=0.03)


@needs_mujoco
def test_the_game_in_the_other_direction_has_robots_of_its_own_and_pays_the_opposite_for_running():
    env = make(batch_size=2, reward_scale=0.5)
    left = env.game_towards("left")
    assert (env.game.direction, left.direction, left.reward_scale) == (1, -1, 0.5)
    before, pushes = env.game.robots.state(), torch.full((2, 2, 3), 0.3)
    left.robots.restore(before)
    costs = 0.5 * 0.1 * pushes.square().sum(dim=(1, 2)).double()
    paid = left.act(pushes)
    assert (env.game.robots.state() == before).all()
    torch.testing.assert_close(env.game.act(pushes) + costs, -(paid + costs))


@needs_mujoco
def test_a_rollout_is_the_environment_played_with_the_same_numbers():
    """Two chains of two matches, whose robots are one after the other's."""
    game, steps = HalfCheetahGame(1.0, 0.01), 5
    chance = game.chance((2, 2), steps, generator(1, "test"))
    rollout = game.begin(chance)
    assert rollout.steps == steps
    assert torch.equal(rollout.draws[3, 1], chance[..., N_START + 3 * 6 + 3 : N_START + 4 * 6])
    for draws in rollout.draws:
        rollout.step([0.5 * each for each in draws])
    states, actions, reward = rollout.record()
    assert (states.shape, actions.shape, reward.shape) == ((2, 2, 5, 17), (2, 2, 5, 2, 3), (2, 2, 5, 2))
    assert torch.equal(reward[..., 0], reward[..., 1])
    env = make(batch_size=4, reward_scale=0.01)
    env.game.robots.place(chance[..., :N_START].flatten(0, 1).double().numpy())
    observation = env._observe()
    for step in range(steps):
        assert torch.equal(observation.obs[:, 0], states[:, :, step].flatten(0, 1))
        observation, paid, *_ = env.step(actions[:, :, step].flatten(0, 1))
        torch.testing.assert_close(paid, reward[:, :, step, 0].flatten())


def test_what_is_not_installed_is_named_with_what_to_type(monkeypatch, capsys, tmp_path):
    find, others = importlib.util.find_spec, set(PACKAGES) - {"mujoco"}

    def spec(name: str, *more: str) -> object:
        return None if name == "mujoco" else object() if name in others else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", spec)
    words = ["use_cuda=False", f"local_results_path={tmp_path}"]
    assert main(["--config=cheetah_teammates", "--env-config=halfcheetah_dir", "with", *words]) == 2
    told = capsys.readouterr().err
    assert "mujoco, which is not installed" in told
    assert "pip install -r requirements/mujoco.txt" in told
