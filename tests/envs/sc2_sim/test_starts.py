"""Starts of episodes: prepared together, equal to those placed one by one."""

import pytest
import torch

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.noise import episode_keys

EVERYONE = torch.ones(3, dtype=torch.bool)


def make(noise: float = 0.05) -> SC2Sim:
    return SC2Sim(SC2Sim.Settings(map_name="2s3z", reset_noise=noise), batch_size=3, seed=5)


def endings(*games: int) -> torch.Tensor:
    return torch.tensor([game in games for game in range(3)])


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_games_that_end_at_different_times_begin_as_they_would_alone(noise):
    env = make(noise)
    env.reset()
    for mask in (endings(1), endings(1), endings(0, 1), endings(2), EVERYONE, endings(0)):
        before = env.games
        observation = env.reset(mask)
        keys = episode_keys(env._game_keys, before.episode + 1)
        placed = env.spawner.place(keys).expand(-1, 3, -1)
        assert torch.equal(env.games.episode, before.episode + mask)
        assert torch.equal(env.games.keys, torch.where(mask, keys, before.keys))
        assert torch.equal(env.games.units[:, mask], placed[:, mask])
        assert torch.equal(env.games.units[:, ~mask], before.units[:, ~mask])
        fresh = env.observer.observe(env.games.units, env.games.actions, env.games.t)
        assert all(torch.equal(seen, each) for seen, each in zip(observation, fresh, strict=True))


def test_a_start_is_looked_at_again_only_when_a_game_needs_its_second():
    env = make()
    looks, place = [], env.spawner.place
    env.spawner.place = lambda keys: looks.append(keys) or place(keys)
    env.reset()
    for mask in (endings(0), endings(1), endings(2)):
        env.reset(mask)
    assert len(looks) == 2  # before the first episodes, and before the second ones
    env.reset(endings(1))
    assert len(looks) == 3


def test_a_restored_environment_forgets_the_starts_of_another_seed():
    other = SC2Sim(make().settings, batch_size=3, seed=6)
    env = make()
    env.reset()
    other.reset()
    other.load_state_dict(env.state_dict())
    for mask in (endings(0), EVERYONE):
        assert torch.equal(other.reset(mask).obs, env.reset(mask).obs)
