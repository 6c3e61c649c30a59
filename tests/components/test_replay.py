"""The replay memory against a list of episodes, which is what it stands for."""

import dataclasses
import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.components import rows as module
from cohort.components.episodes import DONE, SEEN, Episodes
from cohort.components.replay import Replay, ReplaySettings
from tests import harness

LIMIT = 5
SPEC = harness.spec(episode_limit=LIMIT)
FIELDS = (*SEEN, *DONE)


def memory(
    size: int,
    dtype: str = "float32",
    seed: int = 0,
    spec=SPEC,
    unit: str = "episodes",
    standardise: bool = False,
) -> Replay:
    chosen = ReplaySettings(
        buffer_size=size, buffer_dtype=dtype, buffer_cpu_only=True, standardise_rewards=standardise
    )
    generator = torch.Generator().manual_seed(seed)
    extras = {"log_prob": (spec.n_agents,), "role": ()}
    return Replay(
        chosen, unit=unit, spec=spec, extras=extras, device=torch.device("cpu"), generator=generator
    )


def random_episodes(lengths: list[int], seed: int, spec=SPEC, poison: bool = True) -> Episodes:
    """Random content everywhere; beyond an episode's end NaN and other things that must never be seen again."""
    generator = torch.Generator().manual_seed(seed)
    games, steps = len(lengths), max(lengths)
    n, a = spec.n_agents, spec.n_actions

    def noise(*shape):
        return torch.randn(games, *shape, generator=generator)

    length = torch.tensor(lengths)
    obs, state = noise(steps + 1, n, spec.obs_dim), noise(steps + 1, spec.state_dim)
    available = noise(steps + 1, n, a) > 0
    actions = torch.randint(0, a, (games, steps, n), generator=generator)
    reward, terminated = noise(steps), noise(steps) > 0
    truncated = (torch.arange(steps) == length[:, None] - 1) & ~terminated
    extras = {"log_prob": noise(steps, n), "role": noise(steps)}
    if poison:
        after = torch.arange(steps + 1) > length[:, None]
        idle = torch.arange(steps) >= length[:, None]
        obs[after], state[after], available[after] = math.nan, math.nan, True
        actions[idle], reward[idle], terminated[idle], truncated[idle] = a - 1, math.nan, True, True
        for each in extras.values():
            each[idle] = math.nan
    return Episodes(
        obs=obs, state=state, available_actions=available, actions=actions, reward=reward,
        terminated=terminated, truncated=truncated, length=length, extras=extras,
    )  # fmt: skip


class ListOfEpisodes:
    """The obvious memory: a list of unpadded episodes, each a dict, the oldest dropped."""

    def __init__(self, size: int) -> None:
        self.size, self.slots, self.added = size, [None] * size, 0

    def add(self, episodes: Episodes) -> None:
        for row in list(range(episodes.batch_size))[-self.size :]:
            end = int(episodes.length[row])
            one = {name: getattr(episodes, name)[row, :end] for name in DONE}
            one |= {name: getattr(episodes, name)[row, : end + 1] for name in SEEN}
            one |= {f"extras/{name}": values[row, :end] for name, values in episodes.extras.items()}
            self.slots[self.added % self.size] = one
            self.added += 1

    def read(self, slots: list[int]) -> Episodes:
        chosen = [self.slots[slot] for slot in slots]
        steps = max(len(each["reward"]) for each in chosen)
        values = {}
        for name in chosen[0]:
            rows, padding = steps + (name in SEEN), name == "available_actions"
            padded = [
                torch.full((rows, *each[name].shape[1:]), padding).to(each[name].dtype) for each in chosen
            ]
            for into, each in zip(padded, chosen, strict=True):
                into[: len(each[name])] = each[name]
            values[name] = torch.stack(padded)
        extras = {name.partition("/")[2]: values.pop(name) for name in list(values) if "/" in name}
        length = torch.tensor([len(each["reward"]) for each in chosen])
        return Episodes(**values, length=length, extras=extras)


def assert_same(found: Episodes, expected: Episodes) -> None:
    assert torch.equal(found.length, expected.length)
    for name in FIELDS:
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype, name
        assert torch.equal(ours, theirs), name
    assert found.extras.keys() == expected.extras.keys()
    for name, values in expected.extras.items():
        assert torch.equal(found.extras[name], values), name


batches = st.lists(st.lists(st.integers(1, LIMIT), min_size=1, max_size=9), min_size=1, max_size=12)


@settings(max_examples=120, deadline=None)
@given(size=st.integers(1, 8), added=batches, first_rows=st.sampled_from([1, 7, 4096]))
def test_the_ring_holds_what_a_list_of_episodes_holds(size, added, first_rows):
    """Varied lengths, more episodes than fit in one batch, wrapping and growth."""
    before, module.FIRST_ROWS = module.FIRST_ROWS, first_rows
    try:
        ours, reference = memory(size), ListOfEpisodes(size)
        for number, lengths in enumerate(added):
            episodes = random_episodes(lengths, seed=number)
            ours.add(episodes)
            reference.add(episodes)
            assert len(ours) == min(reference.added, size)
            slots = list(range(len(ours)))
            assert_same(ours._read(torch.tensor(slots)), reference.read(slots))
            assert ours._ring.capacity <= size * (LIMIT + 1)
    finally:
        module.FIRST_ROWS = before


@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 8), added=batches, rest=batches, seed=st.integers(0, 99))
def test_a_restored_memory_goes_on_with_the_same_samples(size, added, rest, seed):
    ours = memory(size, seed=seed)
    for number, lengths in enumerate(added):
        ours.add(random_episodes(lengths, seed=number))
    ours.sample(1)
    again = memory(size, seed=seed + 1)
    again.load_state_dict(ours.state_dict())
    for number, lengths in enumerate(rest):
        for each in (ours, again):
            each.add(random_episodes(lengths, seed=100 + number))
        want = max(1, len(ours) // 2)
        assert_same(again.sample(want), ours.sample(want))


def test_the_state_is_as_large_as_its_episodes_and_not_as_the_ring():
    ours = memory(1000)
    ours.add(random_episodes([2, 3], seed=0))
    (reward,) = ours.state_dict()["rows"]["reward"]
    assert reward.shape[0] == 3 + 4
    assert memory(1000).state_dict()["rows"]["reward"] == []


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ValueError, match="buffer_size=4"):
        memory(5).load_state_dict(memory(4).state_dict())


def test_the_longest_episodes_fill_exactly_the_promised_bytes():
    size = 7
    ours = memory(size)
    for number in range(5):
        ours.add(random_episodes([LIMIT] * 3, seed=number))
    used = sum(rows[:-1].numel() * rows.element_size() for rows in ours._ring._rows.values())
    assert used == ours.bytes_at_most
    # obs and state, available, actions, reward, terminated and truncated, extras
    per_row = 4 * (2 * 4 + 5) + 2 * 3 + 2 + 4 + 2 + 4 * (2 + 1)
    assert ours.bytes_at_most == size * (LIMIT + 1) * per_row


def test_half_precision_halves_the_observations_alone():
    full, half = memory(10), memory(10, "float16")
    assert full.bytes_at_most - half.bytes_at_most == 10 * (LIMIT + 1) * 2 * (2 * 4 + 5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_rounds_observations_and_nothing_else(dtype):
    ours, reference = memory(4, dtype), ListOfEpisodes(4)
    episodes = random_episodes([5, 1, 3], seed=0)
    ours.add(episodes)
    reference.add(episodes)
    found, exact = ours._read(torch.arange(3)), reference.read([0, 1, 2])
    rounded = {name: getattr(exact, name).to(getattr(torch, dtype)).float() for name in ("obs", "state")}
    assert_same(found, Episodes(**{**vars(exact), **rounded}))
    assert not torch.equal(found.obs, exact.obs)


def test_padding_is_zero_whatever_stood_there_but_every_action_is_available():
    ours = memory(3)
    ours.add(random_episodes([1, LIMIT, 2], seed=0))
    batch = ours.sample(3)
    idle = ~batch.mask
    for name in FIELDS:
        values = getattr(batch, name)
        if values.shape[1] == batch.mask.shape[1]:
            assert not values[idle].any(), name
        else:
            after = torch.arange(values.shape[1]) > batch.length[:, None]
            empty = values[after] if name != "available_actions" else ~values[after]
            assert not empty.any(), name
        assert torch.isfinite(values.float()).all(), name
    assert not any(each[idle].any() for each in batch.extras.values())


def test_a_sample_is_padded_to_its_own_longest_episode():
    ours = memory(2)
    ours.add(random_episodes([LIMIT, 1], seed=0))
    ours.add(random_episodes([2, 1], seed=1))
    assert ours.sample(2).reward.shape == (2, 2)


def test_samples_are_without_replacement_and_uniform():
    size, drawn, rounds = 12, 5, 4000
    ours = memory(size)
    episodes = random_episodes([1 + i % LIMIT for i in range(size)], seed=0, poison=False)
    episodes.reward[:] = torch.arange(size, dtype=torch.float32)[:, None]
    ours.add(episodes)
    counts = torch.zeros(size)
    for _ in range(rounds):
        picked = ours.sample(drawn).reward[:, 0].long()
        assert len(set(picked.tolist())) == drawn
        counts[picked] += 1
    expected = rounds * drawn / size
    variance = rounds * (drawn / size) * (1 - drawn / size)
    assert ((counts - expected).abs() < 5 * math.sqrt(variance)).all()


def test_only_the_newest_episodes_are_ever_sampled():
    ours = memory(3)
    for number in range(8):
        episode = random_episodes([1 + number % LIMIT], seed=number, poison=False)
        episode.reward[:] = float(number)
        ours.add(episode)
    seen = {float(value) for _ in range(20) for value in ours.sample(2).reward[:, 0]}
    assert seen == {5.0, 6.0, 7.0}


def test_samples_own_their_values():
    ours = memory(2)
    ours.add(random_episodes([3, 2], seed=0))
    before = ours._read(torch.arange(2))
    for value in vars(ours._read(torch.arange(2))).values():
        if isinstance(value, torch.Tensor):
            value.zero_()
    assert_same(ours._read(torch.arange(2)), before)


@pytest.mark.parametrize(("actions", "dtype"), [(256, torch.uint8), (257, torch.int16)])
def test_every_action_survives_its_compact_type(actions, dtype):
    spec = harness.spec(n_agents=1, n_actions=actions, episode_limit=actions)
    ours = memory(1, spec=spec)
    episodes = random_episodes([actions], seed=0, spec=spec)
    episodes.actions[0, :, 0] = torch.arange(actions)
    ours.add(episodes)
    assert ours._ring._rows["actions"].dtype == dtype
    assert torch.equal(ours.sample(1).actions[0, :, 0], torch.arange(actions))


def test_the_memory_says_its_size_and_warns_of_too_much(monkeypatch):
    text = memory(5000).describe()
    assert "5,000 episodes" in text
    assert "lower buffer_size" not in text

    class Little:
        available = 10

    monkeypatch.setattr(module.psutil, "virtual_memory", Little)
    assert "lower buffer_size" in memory(5000).describe()


def test_no_loop_over_episodes():
    """Adding and sampling are tensor programs; their only loops go over the fields."""
    methods = (
        *(Replay.add, Replay.sample, Replay._read_episodes, Replay._read_steps, Replay.reward_statistics),
        *(module.RowRing.append, module.RowRing.read, module.step_rows),
    )
    over_fields = ("for name, values in done.items()", "for name, into in self._rows.items()")
    for method in methods:
        lines = [line.strip() for line in inspect.getsource(method).splitlines()]
        loops = [line for line in lines if line.startswith(("for ", "while "))]
        assert all(line.startswith(over_fields) for line in loops), loops


def test_rewards_of_every_agent_are_kept():
    spec = dataclasses.replace(SPEC, common_reward=False)
    kept = memory(4, spec=spec)
    episodes = random_episodes([2, 3], seed=1)
    own = torch.arange(2 * 3 * spec.n_agents, dtype=torch.float32).view(2, 3, -1) * episodes.mask.unsqueeze(2)
    kept.add(dataclasses.replace(episodes, reward=own))
    sample = kept.sample(2)
    order = [0, 1] if sample.length[0] == 2 else [1, 0]
    assert torch.equal(sample.reward, own[order])
    assert torch.equal(sample.returns, own[order].sum((1, 2)))


@pytest.mark.parametrize("added", [3, 7, 18])
def test_the_latest_are_those_that_were_added_last(added):
    """Before the memory is full, and after it has come round."""
    held = memory(size=6)
    for number in range(added):
        episodes = random_episodes([1 + number % LIMIT], seed=number)
        held.add(dataclasses.replace(episodes, reward=torch.full_like(episodes.reward, float(number))))
    for latest in (1, 2, 5, 50):
        found = held.sample(50, latest=latest).reward[:, 0].tolist()
        first = max(0, added - min(latest, 6))
        assert sorted(found) == [float(number) for number in range(first, added)]
    seen = {tuple(sorted(held.sample(2, latest=3).reward[:, 0].tolist())) for _ in range(50)}
    assert len(seen) == 3, "every pair of the last three is drawn"
