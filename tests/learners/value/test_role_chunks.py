import dataclasses

import torch

from cohort.learners.packed import PackedEpisodes
from cohort.learners.value.role_chunks import RoleChunks, chunked
from tests.builders import make_learner, random_episodes
from tests.learners.value.roles import in_roles

THREE = torch.tensor([True, True, True, False])


def test_twelve_steps_that_pay_1_are_chunks_of_5_5_and_2():
    episodes = random_episodes([12])
    episodes = dataclasses.replace(episodes, reward=torch.ones(1, 12))
    chunks = chunked(episodes, 5, torch.zeros(1, 12, 3, dtype=torch.int64), THREE)
    assert chunks.reward.tolist() == [[5.0, 5.0, 2.0]]
    assert chunks.length.tolist() == [3]


def test_chunks_by_hand():
    """Loops over episodes and chunks. Episodes 0 and 2 end, 1 and 3 are cut, at and within a chunk's end."""
    lengths = [3, 10, 12, 7]
    for padding in (0.0, float("nan")):
        episodes = in_roles(random_episodes(lengths, padding=padding), 3)
        roles = episodes.extras["roles"].long()
        chunks = chunked(episodes, 5, roles, THREE)
        assert chunks.length.tolist() == [1, 2, 3, 2]
        assert chunks.mask.shape == (4, 3)
        for b, length in enumerate(lengths):
            for c in range(3):
                steps = range(5 * c, min(5 * c + 5, length))
                reward = sum((episodes.reward[b, t] for t in steps), torch.tensor(0.0))
                torch.testing.assert_close(chunks.reward[b, c], reward)
                assert chunks.terminated[b, c] == any(bool(episodes.terminated[b, t]) for t in steps)
                assert chunks.truncated[b, c] == any(bool(episodes.truncated[b, t]) for t in steps)
                if not steps:
                    continue
                assert torch.equal(chunks.state[b, c], episodes.state[b, 5 * c])
                assert torch.equal(chunks.obs[b, c], episodes.obs[b, 5 * c])
                assert torch.equal(chunks.actions[b, c], roles[b, 5 * c])
                assert torch.equal(chunks.extras["roles"][b, c], episodes.extras["roles"][b, 5 * c])
                following = min(5 * c + 5, length)  # a cut chunk goes on to the last observation
                assert torch.equal(chunks.state[b, c + 1], episodes.state[b, following])
        assert torch.equal(chunks.available_actions[0, 0, 0], THREE)


def test_packed_rows_are_where_they_belong():
    lengths = [3, 10, 12, 7, 5]
    episodes = in_roles(random_episodes(lengths), 3)
    learner = make_learner("rode")
    steps = PackedEpisodes.of(episodes, learner.policy)
    chunks = RoleChunks.of(steps, 5, episodes.extras["roles"].long(), learner.policy.roles.exists)
    # each moment says which one it is
    names = 100 * torch.arange(5).unsqueeze(1) + torch.arange(13)
    of_steps = steps.packing.of_moments(names)
    named = chunks.at_choices(of_steps)
    expected = [[100 * b + min(5 * c, length) for c in range(4)] for b, length in enumerate(lengths)]
    assert torch.equal(named, chunks.batch.packing.of_moments(torch.tensor(expected)))
    assert torch.equal(chunks.spread(named), of_steps // 100 * 100 + of_steps % 100 // 5 * 5)
    inputs = learner.policy.inputs(episodes)
    first = chunks.batch.packing.of_steps(inputs[:, :-1:5])
    assert torch.equal(chunks.batch.packing.before_steps(chunks.batch.inputs), first)
