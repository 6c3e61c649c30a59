"""The attention critic of states against loops over agents, heads and moments; what each value reads."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from cohort.modules.critics.attention_value import AttentionValueCritic
from tests.builders import SMALL, random_episodes

HIDDEN, HEADS = 12, 3
LENGTHS = [3, 8, 1, 5]


def critic(agents: int = 3, seed: int = 0) -> AttentionValueCritic:
    torch.manual_seed(seed)
    settings = AttentionValueCritic.Settings(critic_hidden_dim=HIDDEN, attention_heads=HEADS)
    return AttentionValueCritic(settings, spec=dataclasses.replace(SMALL, n_agents=agents)).double()


def episodes(padding: float = 0.0, agents: int = 3):
    drawn = random_episodes(LENGTHS, dataclasses.replace(SMALL, n_agents=agents), padding=padding)
    return drawn.map(lambda each: each.double() if each.is_floating_point() else each)


def moments(record) -> list[tuple[int, int]]:
    """(b, t) of every observation: one more than steps."""
    return [(b, t) for b, length in enumerate(record.length.tolist()) for t in range(length + 1)]


def by_loops(subject: AttentionValueCritic, record) -> dict[tuple[int, int, int], torch.Tensor]:
    """V of each moment and agent, one after the other."""
    net, width, agents = subject.network, HIDDEN // HEADS, record.obs.shape[2]
    seen = torch.stack([record.obs[b, t] for b, t in moments(record)])  # [P, N, O]
    seen = (seen - seen.mean(0)) / torch.sqrt(seen.var(0, correction=0) + 1e-5)
    found = {}
    for row, (b, t) in enumerate(moments(record)):
        e, s = (
            [F.leaky_relu(seen[row, j] @ layer.weight[j] + layer.bias[j, 0], 0.01) for j in range(agents)]
            for layer in (net.encoder, net.state_encoder)
        )
        for i in range(agents):
            heard = []
            for h in range(HEADS):
                part = slice(h * width, (h + 1) * width)
                query = net.query.weight[part] @ s[i]
                others = [j for j in range(agents) if j != i]
                scores = torch.stack([query @ (net.key.weight[part] @ e[j]) for j in others])
                weights = (scores / math.sqrt(width)).softmax(0)
                said = [
                    F.leaky_relu(net.value.weight[part] @ e[j] + net.value.bias[part], 0.01) for j in others
                ]
                heard.append(sum(weight * each for weight, each in zip(weights, said, strict=True)))
            first, last = net.head.layers
            hidden = F.leaky_relu(torch.cat([s[i], *heard]) @ first.weight[i] + first.bias[i, 0], 0.01)
            found[b, t, i] = (hidden @ last.weight[i] + last.bias[i, 0]).squeeze()
    return found


def test_values_and_gradients_are_those_of_plain_loops():
    subject, record = critic(), episodes()
    values, expected = subject(record), by_loops(subject, record)
    assert values.shape == (4, 9, 3)
    draw = torch.Generator().manual_seed(2)
    weights = torch.randn(values.shape, generator=draw, dtype=torch.float64)
    for place, each in expected.items():
        torch.testing.assert_close(values[place], each)
    parameters = list(subject.parameters())
    ours = torch.autograd.grad((weights * values).sum(), parameters)
    theirs = torch.autograd.grad(sum(weights[place] * each for place, each in expected.items()), parameters)
    for one, other in zip(ours, theirs, strict=True):
        assert other.any()
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_padding_is_neither_read_nor_valued():
    subject = critic()
    expected = subject(episodes())
    for padding in (30.0, float("nan")):
        torch.testing.assert_close(subject(episodes(padding)), expected, rtol=0, atol=0)
    real = torch.zeros(4, 9, dtype=torch.bool)
    for place in moments(episodes()):
        real[place] = True
    assert not expected[~real].any()
    assert expected[real].all()


def test_everybody_reads_everybodys_observations():
    subject, record = critic(), episodes()
    for agent in range(3):
        moved = dataclasses.replace(record, obs=record.obs.clone())
        moved.obs[1, 4, agent] += 5
        assert (subject(moved)[1, 4] != subject(record)[1, 4]).all()


def test_an_agent_does_not_attend_to_itself():
    """Its own observation reaches its value through s_i; what it tells others, e_i, does not."""
    subject, record = critic(), episodes()
    before = subject(record)
    subject.network.encoder.weight.data[1] += 0.5
    changed = (subject(record) != before).flatten(0, 1).any(dim=0)
    assert changed.tolist() == [True, False, True]


def test_others_who_are_alike_may_change_places():
    subject, record = critic(), episodes()
    for each in (subject.network.encoder.weight, subject.network.encoder.bias):
        each.data[2] = each.data[1]
    swapped = dataclasses.replace(record, obs=record.obs[:, :, [0, 2, 1]])
    torch.testing.assert_close(subject(swapped)[..., 0], subject(record)[..., 0])
    assert not torch.allclose(subject(swapped)[..., 1], subject(record)[..., 1])


def test_of_two_agents_each_attends_to_the_other_alone():
    """Keys and queries have no say."""
    subject, record = critic(agents=2), episodes(agents=2)
    before = subject(record)
    subject.network.key.weight.data += 1
    torch.testing.assert_close(subject(record), before)


def test_no_action_and_no_state_enters():
    subject, record = critic(), episodes()
    other = dataclasses.replace(
        record, state=record.state + 1, actions=(record.actions + 1) % SMALL.n_actions
    )
    assert torch.equal(subject(other), subject(record))


def test_one_agent_alone_is_refused_in_words():
    with pytest.raises(ValueError, match="attends to the other agents, and here is one agent alone"):
        critic(agents=1)
