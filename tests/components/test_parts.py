"""Episodes, averages, schedules, seeds and the shared mathematics."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cohort.components.averages import EpisodeStatistics, RunningAverages
from cohort.components.functional import (
    diagonal_gaussian_log_prob,
    greedy_actions,
    masked_mean,
    one_step_target,
    taken,
)
from cohort.components.schedules import LinearSchedule
from cohort.components.seeding import derive_seed, generator
from tests.components.test_replay import random_episodes

# --- episodes


def test_the_mask_marks_the_transitions_that_happened():
    episodes = random_episodes([1, 3, 2], seed=0)
    assert episodes.mask.tolist() == [[True, False, False], [True, True, True], [True, True, False]]


def test_last_actions_are_shifted_by_one_and_begin_with_none():
    episodes = random_episodes([3, 3], seed=0)
    assert episodes.last_actions.shape == (2, 4, 2)
    assert (episodes.last_actions[:, 0] == -1).all()
    assert torch.equal(episodes.last_actions[:, 1:], episodes.actions)


def test_rows_map_and_extras_reach_every_tensor():
    episodes = random_episodes([2, 3, 1], seed=0, poison=False).with_extras(z=torch.arange(3.0))
    episodes.info["won"] = torch.tensor([1.0, 0.0, 1.0])
    some = episodes.rows(torch.tensor([2, 0]))
    assert some.batch_size == 2
    assert some.length.tolist() == [1, 2]
    assert some.extras["z"].tolist() == [2.0, 0.0]
    assert some.info["won"].tolist() == [1.0, 1.0]
    assert torch.equal(some.obs, episodes.obs[[2, 0]])
    more = some.with_extras(y=torch.zeros(2))
    assert set(more.extras) == {"log_prob", "role", "z", "y"}
    assert set(some.extras) == {"log_prob", "role", "z"}


# --- statistics


def test_statistics_have_pymarls_names_and_see_every_episode_once():
    statistics = EpisodeStatistics()
    returns, lengths, wins = [], [], []
    for seed, chosen in enumerate([[1, 3], [2, 2], [5, 1]]):
        episodes = random_episodes(chosen, seed=seed, poison=False)
        episodes.reward.masked_fill_(~episodes.mask, 0.0)
        episodes.info["battle_won"] = torch.tensor([1.0, float(seed == 1)])
        statistics.add(episodes)
        for row, length in enumerate(chosen):
            returns.append(sum(episodes.reward[row, :length].double().tolist()))
            lengths.append(length)
            wins.append(float(episodes.info["battle_won"][row]))
    mean = sum(returns) / 6
    expected = {
        "test_return_mean": mean,
        "test_return_std": math.sqrt(sum((each - mean) ** 2 for each in returns) / 6),
        "test_ep_length_mean": sum(lengths) / 6,
        "test_battle_won_mean": sum(wins) / 6,
    }
    found = statistics.flush(prefix="test_")
    assert found == pytest.approx(expected, abs=1e-5)
    assert statistics.flush() == {}


def test_each_agents_own_return_is_logged_where_rewards_are_not_common():
    lengths = [2, 3]
    episodes = random_episodes(lengths, seed=0, poison=False)
    own = torch.arange(2 * 3 * 3.0).view(2, 3, 3).masked_fill_(~episodes.mask[..., None], 0.0)
    statistics = EpisodeStatistics()
    statistics.add(dataclasses.replace(episodes, reward=own))
    found = statistics.flush(prefix="test_")
    for agent in range(3):
        paid = [sum(float(own[row, t, agent]) for t in range(length)) for row, length in enumerate(lengths)]
        assert found[f"test_agent_{agent}_return_mean"] == sum(paid) / 2
    assert found["test_return_mean"] == pytest.approx(
        sum(found[f"test_agent_{i}_return_mean"] for i in range(3))
    )
    assert set(found) == set(EpisodeStatistics.names([*episodes.info], own_returns=3, prefix="test_"))


def test_averages_are_means_since_the_last_flush_of_each_name():
    averages = RunningAverages()
    averages.add({"loss": torch.tensor(1.0), "rare": torch.tensor(7.0)})
    averages.add({"loss": torch.tensor(4.0, requires_grad=True)})
    again = RunningAverages()
    again.load_state_dict(averages.state_dict())
    assert averages.flush() == {"loss": 2.5, "rare": 7.0}
    assert averages.flush() == {}
    again.add({"loss": torch.tensor(1.0)})
    assert again.flush() == {"loss": 2.0, "rare": 7.0}


# --- schedules and seeds


@pytest.mark.parametrize(("t", "value"), [(0, 1.0), (25, 0.775), (50, 0.55), (100, 0.1), (10**9, 0.1)])
def test_a_linear_schedule_is_a_line_and_then_flat(t, value):
    assert LinearSchedule(1.0, 0.1, 100).at(t) == pytest.approx(value)


def test_seeds_are_the_same_on_every_machine():
    """A change here would change every published run."""
    expected = {"networks": 4164753088050176222, "games/train": 981826476190408745}
    assert {purpose: derive_seed(1, purpose) for purpose in expected} == expected


@given(st.integers(0, 2**63 - 1))
def test_seeds_of_different_purposes_and_runs_differ(seed):
    purposes = ["networks", "replay", "games/train", "games/test", "exploration/train", "hierarchy"]
    seeds = {derive_seed(each, purpose) for each in (seed, seed + 1) for purpose in purposes}
    assert len(seeds) == 12
    assert all(0 <= each < 2**63 for each in seeds)


def test_streams_of_different_purposes_are_unlike_and_repeatable():
    first, other = generator(3, "a"), generator(3, "b")
    draws = torch.rand(1000, generator=first), torch.rand(1000, generator=other)
    assert torch.equal(draws[0], torch.rand(1000, generator=generator(3, "a")))
    assert torch.corrcoef(torch.stack(draws))[0, 1].abs() < 0.15


# --- mathematics


def test_masked_mean_never_sees_what_is_masked():
    values = torch.tensor([[1.0, math.nan], [3.0, math.inf]], requires_grad=True)
    mask = torch.tensor([[True, False], [True, False]])
    mean = masked_mean(values, mask)
    assert mean.item() == 2.0
    mean.backward()
    assert values.grad.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_masked_mean_counts_a_broadcast_mask_once_for_every_value():
    values = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, False, False], [True, True, False]])
    expected = torch.tensor([0.0, 1.0, 6.0, 7.0, 8.0, 9.0]).mean()
    assert masked_mean(values, mask.unsqueeze(-1)) == expected


def test_a_terminated_step_has_no_future_and_a_truncated_one_has():
    reward = torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    terminated = torch.tensor([[False, True], [False, False]])  # the second episode was only cut
    next_value = torch.tensor([[[10.0], [math.nan]], [[10.0], [20.0]]])
    target = one_step_target(reward, terminated, next_value, gamma=0.5)
    assert target.squeeze(-1).tolist() == [[6.0, 2.0], [6.0, 12.0]]
    per_agent = one_step_target(reward, terminated, next_value.expand(-1, -1, 3), gamma=0.5)
    assert per_agent.shape == (2, 2, 3)


def test_gaussian_log_prob_is_torchs():
    torch.manual_seed(0)
    sample, mean, variance = torch.randn(4, 5, 3), torch.randn(4, 5, 3), torch.rand(4, 5, 3) + 0.1
    reference = torch.distributions.Normal(mean, variance.sqrt()).log_prob(sample).sum(-1)
    torch.testing.assert_close(diagonal_gaussian_log_prob(sample, mean, variance), reference)


def test_taken_and_greedy_agree_with_a_loop():
    torch.manual_seed(0)
    utilities, actions = torch.randn(3, 4, 2, 5), torch.randint(0, 5, (3, 4, 2))
    available = torch.rand(3, 4, 2, 5) < 0.5
    available[..., 2] = True
    chosen, greedy = taken(utilities, actions), greedy_actions(utilities, available)
    for place in torch.cartesian_prod(*map(torch.arange, (3, 4, 2))).tolist():
        b, t, n = place
        assert chosen[b, t, n] == utilities[b, t, n, actions[b, t, n]]
        allowed = [a for a in range(5) if available[b, t, n, a]]
        assert int(greedy[b, t, n]) == max(allowed, key=lambda a: float(utilities[b, t, n, a]))
