"""Episodes of several rounds in one record."""

import torch

from cohort.components.episodes import Episodes
from tests.builders import SMALL, random_episodes


def test_concatenation_pads_to_the_longest_and_changes_nothing_else():
    parts = [random_episodes([2, 5], seed=1), random_episodes([3], seed=2), random_episodes([7, 1], seed=3)]
    parts = [part.with_extras(z=torch.randn(part.batch_size, part.actions.shape[1], 2)) for part in parts]
    whole = Episodes.concatenated(parts)
    assert whole.length.tolist() == [2, 5, 3, 7, 1]
    assert whole.obs.shape == (5, 8, SMALL.n_agents, SMALL.obs_dim)
    first = 0
    for part in parts:
        steps, rows = part.actions.shape[1], slice(first, first + part.batch_size)
        first += part.batch_size
        for name in ("obs", "state", "available_actions"):
            values = getattr(whole, name)[rows]
            assert torch.equal(values[:, : steps + 1], getattr(part, name))
            padding = values[:, steps + 1 :]
            assert padding.all() if name == "available_actions" else not padding.any()
        for name in ("actions", "reward", "terminated", "truncated", "mask"):
            values = getattr(whole, name)[rows]
            assert torch.equal(values[:, :steps], getattr(part, name))
            assert not values[:, steps:].any()
        assert torch.equal(whole.extras["z"][rows, :steps], part.extras["z"])
        assert not whole.extras["z"][rows, steps:].any()


def test_one_part_is_the_whole():
    part = random_episodes([2, 5])
    assert Episodes.concatenated([part]) is part


def test_single_steps_are_episodes_of_one_step():
    steps = random_episodes([3, 1, 5]).with_extras(z=torch.randn(3, 5, 2)).transitions()
    again = Episodes.of_single_steps(steps)
    assert again.length.tolist() == [1] * 9
    assert again.mask.all()
    back = again.transitions()
    for name in ("obs", "next_obs", "state", "next_state", "available_actions", "next_available_actions"):
        assert torch.equal(getattr(back, name), getattr(steps, name))
    for name in ("actions", "reward", "terminated", "truncated"):
        assert torch.equal(getattr(back, name), getattr(steps, name))
    assert torch.equal(back.extras["z"], steps.extras["z"])
