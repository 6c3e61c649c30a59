"""The transition memory against a list of transitions, which is what it stands for."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.components import rows as rows_module
from cohort.components.episodes import SEEN
from cohort.components.replay import Replay
from tests import harness
from tests.components import test_replay
from tests.components.test_replay import LIMIT, SPEC, batches, random_episodes


def memory(size: int, seed: int = 0, spec=SPEC, standardise: bool = False) -> Replay:
    return test_replay.memory(size, seed=seed, spec=spec, unit="steps", standardise=standardise)


def transitions_of(episodes) -> list[dict[str, torch.Tensor]]:
    """One dictionary per step, in the order of play, episode by episode."""
    found = []
    for row in range(episodes.batch_size):
        end = int(episodes.length[row])
        for t in range(end):
            terminated = bool(episodes.terminated[row, t])
            one = {name: getattr(episodes, name)[row, t] for name in ("actions", "reward", "terminated")}
            for name in SEEN:
                one[name] = getattr(episodes, name)[row, t]
                one[f"next_{name}"] = getattr(episodes, name)[row, t + 1]
            one["extras"] = {name: values[row, t] for name, values in episodes.extras.items()}
            one["truncated"] = torch.tensor(t == end - 1 and not terminated)
            found.append(one)
    return found


def assert_same(found, expected: list[dict[str, torch.Tensor]]) -> None:
    for name in (each.name for each in dataclasses.fields(found) if each.name != "extras"):
        theirs = torch.stack([one[name] for one in expected])
        assert torch.equal(getattr(found, name), theirs), name
    for name, ours in found.extras.items():
        assert torch.equal(ours, torch.stack([one["extras"][name] for one in expected])), name


@settings(max_examples=120, deadline=None)
@given(size=st.integers(1, 30), added=batches, first_rows=st.sampled_from([1, 7, 4096]))
def test_the_memory_holds_what_a_list_of_transitions_holds(size, added, first_rows):
    """Varied lengths, more transitions than fit in one batch, wrapping and growth."""
    before, rows_module.FIRST_ROWS = rows_module.FIRST_ROWS, first_rows
    try:
        ours, slots, count = memory(size), [None] * size, 0
        for number, lengths in enumerate(added):
            episodes = random_episodes(lengths, seed=number)
            ours.add(episodes)
            for one in transitions_of(episodes):
                slots[count % size] = one
                count += 1
            assert len(ours) == min(count, size)
            held = slots[: len(ours)]
            assert_same(ours._read(torch.arange(len(ours))), held)
    finally:
        rows_module.FIRST_ROWS = before


@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 30), added=batches, rest=batches, seed=st.integers(0, 99))
def test_a_restored_memory_goes_on_with_the_same_samples(size, added, rest, seed):
    ours, again = memory(size, seed), memory(size, seed + 1)
    for number, lengths in enumerate(added):
        ours.add(random_episodes(lengths, seed=number))
    ours.sample(1)
    again.load_state_dict(ours.state_dict())
    for number, lengths in enumerate(rest):
        for each in (ours, again):
            each.add(random_episodes(lengths, seed=100 + number))
        found, expected = again.sample(5), ours.sample(5)
        for name in (each.name for each in dataclasses.fields(found) if each.name != "extras"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name
        assert all(torch.equal(found.extras[name], each) for name, each in expected.extras.items())


def test_transitions_are_drawn_uniformly_with_replacement():
    ours = memory(10)
    episodes = random_episodes([5, 5, 5], seed=0)  # the first episode has left again
    ours.add(episodes)
    drawn = ours.sample(20_000).reward
    kept = episodes.reward[1:].flatten()
    shares = (drawn[:, None] == kept).double().mean(0)
    assert shares.sum() == pytest.approx(1)
    assert shares.sub(0.1).abs().max() < 0.01  # a standard error is 0.0021


def test_nothing_added_is_nothing_changed():
    ours = memory(10)
    nothing = random_episodes([2], seed=0).rows(slice(0, 0))
    ours.add(nothing)
    assert len(ours) == 0
    ours.add(random_episodes([3], seed=1))
    before = ours._read(torch.arange(3))
    ours.add(nothing)
    assert len(ours) == 3
    assert torch.equal(ours._read(torch.arange(3)).obs, before.obs)


def test_an_observation_is_stored_once():
    ours = memory(1000)
    ours.add(random_episodes([LIMIT] * 4, seed=0))
    assert sum(map(len, ours.state_dict()["rows"]["obs"])) == 4 * (LIMIT + 1)
    assert "1,000 steps" in ours.describe()


def test_continuous_actions_and_rewards_of_every_agent_are_kept():
    spec = harness.spec(n_actions=0, action_dim=2, common_reward=False)
    ours = memory(10, spec=spec)
    episodes = random_episodes([3], seed=0)
    episodes = dataclasses.replace(
        episodes,
        available_actions=torch.ones(1, 4, spec.n_agents, 0, dtype=torch.bool),
        actions=torch.randn(1, 3, spec.n_agents, 2),
        reward=torch.randn(1, 3, spec.n_agents),
    )
    ours.add(episodes)
    found = ours._read(torch.arange(3))
    assert torch.equal(found.actions, episodes.actions[0])
    assert torch.equal(found.reward, episodes.reward[0])
    assert found.next_available_actions.shape == (3, spec.n_agents, 0)


@pytest.mark.parametrize("common", [True, False])
def test_standardised_rewards_have_mean_0_and_deviation_1_over_all_that_is_held(common):
    """Whatever was added, evicted and sampled in between; each agent's own where agents have rewards of their own."""
    spec = harness.spec(common_reward=common)
    ours, plain = memory(12, spec=spec, standardise=True), memory(12, spec=spec)
    for seed in range(4):  # 20 transitions: the first 8 have left again
        episodes = random_episodes([3, 2], seed=seed)
        shape = (2, 3) if common else (2, 3, spec.n_agents)
        draw = torch.Generator().manual_seed(seed)
        reward = 50 + 3 * torch.randn(shape, generator=draw)
        if not common:
            reward[..., 1] *= 100
        for each in (ours, plain):
            each.add(dataclasses.replace(episodes, reward=reward))
        held = plain._read(torch.arange(len(plain))).reward.double()
        found, raw = ours.sample(4000), plain.sample(4000)
        expected = (raw.reward.double() - held.mean(0)) / held.std(0, correction=0)
        torch.testing.assert_close(found.reward, expected.float())
        assert torch.equal(found.obs, raw.obs)
    everything = ours._read(torch.arange(12)).reward.double()
    mean, std = ours.reward_statistics()
    standardised = (everything - mean) / std
    torch.testing.assert_close(standardised.mean(0), torch.zeros_like(mean), atol=1e-12, rtol=0)
    torch.testing.assert_close(standardised.std(0, correction=0), torch.ones_like(std))


def test_rewards_that_never_differ_become_nothing():
    ours = memory(10, standardise=True)
    episodes = random_episodes([5, 3], seed=0)
    ours.add(dataclasses.replace(episodes, reward=torch.full_like(episodes.reward, 0.1)))
    assert ours.sample(20).reward.abs().max() < 1e-6
