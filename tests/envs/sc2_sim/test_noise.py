"""The counter-based random numbers."""

import torch

from cohort.envs.sc2_sim.noise import episode_keys, game_keys, mix, uniform


def test_mix_is_lowbias32():
    """Against the published C function, evaluated in Python's integers."""

    def reference(x: int) -> int:
        x ^= x >> 16
        x = x * 0x7FEB352D & 0xFFFFFFFF
        x ^= x >> 15
        x = x * 0x846CA68B & 0xFFFFFFFF
        return x ^ x >> 16

    values = [0, 1, 2, 12345, 2**31 - 1, 2**31, 2**32 - 1]
    assert mix(torch.tensor(values)).tolist() == [reference(value) for value in values]


def test_numbers_are_uniform_and_unrelated():
    keys = episode_keys(game_keys(3, torch.arange(64)), torch.zeros(64, dtype=torch.int64))
    draws = torch.stack([uniform(keys, torch.full((64,), t), torch.arange(57)) for t in range(200)])
    n = draws.numel()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean() - 0.5) < 4 * (1 / 12 / n) ** 0.5
    counts = torch.histc(draws.double(), 64, 0, 1)
    assert ((counts - n / 64) ** 2 / (n / 64)).sum() < 63 + 4 * (2 * 63) ** 0.5
    centred = draws.double() - 0.5
    for dim in range(3):  # steps, games, units
        length = draws.shape[dim] - 1
        neighbours = (centred.narrow(dim, 0, length) * centred.narrow(dim, 1, length)).mean() * 12
        assert abs(neighbours) < 4 / n**0.5
    assert len(draws.flatten().unique()) > 0.9 * n


def test_streams_differ_by_seed_game_and_episode():
    games, first = torch.arange(1000), torch.zeros(1000, dtype=torch.int64)
    streams = [game_keys(seed, games) for seed in (0, 1, 2**32, 2**40 + 5)]
    streams += [episode_keys(streams[0], first + episode) for episode in range(4)]
    everything = torch.cat(streams)
    assert len(everything.unique()) > 0.999 * len(everything)
    assert ((everything >= 0) & (everything < 2**32)).all()


def test_a_games_numbers_do_not_depend_on_the_others():
    many = game_keys(9, torch.arange(32))
    one = game_keys(9, torch.tensor([17]))
    assert many[17] == one[0]
    lanes = torch.arange(6)
    t = torch.full((32,), 4)
    assert torch.equal(uniform(many, t, lanes)[17], uniform(one, t[:1], lanes)[0])
