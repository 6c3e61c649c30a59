"""Coordination coefficients against critics that are asked about every single action, and by hand."""

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from cohort.learners.actor_critic.coordination import (
    coefficients,
    coordination,
    other_agents,
    situation,
    without_each_other,
)
from cohort.modules.critics.attention import AttentionCritic, AttentionCriticSettings, normalised
from tests import harness

SAMPLES, ROWS, ACTIONS = 9, 5, 3


def made(agents: int, seed: int = 0, one_hot_policies: bool = False):
    """A critic, observations, one-hot actions, chances of which one is 0, and the critic's values."""
    torch.manual_seed(seed)
    settings = AttentionCriticSettings(critic_hidden_dim=12, attention_heads=3)
    critic = AttentionCritic(settings, spec=harness.spec(n_agents=agents)).double()
    for parameter in critic.parameters():  # so that the attention is not nearly even
        parameter.data *= 3
    draw = torch.Generator().manual_seed(seed)
    obs = torch.randn(SAMPLES, agents, 4, generator=draw).double()
    actions = torch.randint(ACTIONS, (SAMPLES, agents), generator=draw)
    chances = torch.randn(SAMPLES, agents, ACTIONS, generator=draw).double()
    chances[0, :, 2] = -math.inf
    actions[0] = actions[0].clamp(max=1)
    one_hot = F.one_hot(actions, ACTIONS).double()
    chances = one_hot if one_hot_policies else chances.softmax(-1)
    return critic, obs, one_hot, chances, critic(obs, one_hot).values.detach()


def by_asking(critic, obs, one_hot, chances, b: int, i: int, j: int) -> float:
    """sum_a' pi_j(a') Q_i(o, (a_-j, a')), each by a whole pass of the critic."""
    total, own = 0.0, int(one_hot[b, i].argmax())
    for action in range(ACTIONS):
        changed = one_hot.clone()
        changed[b, j] = F.one_hot(torch.tensor(action), ACTIONS).double()
        total += float(chances[b, j, action] * critic(obs, changed, like=one_hot).values[b, i, own])
    return total


@pytest.mark.parametrize("agents", [2, 3, 5])
def test_marginal_equals_asking_the_critic_about_every_action(agents):
    critic, obs, one_hot, chances, values = made(agents)
    at = situation(obs, one_hot, chances, values, ROWS)
    found = without_each_other(critic, at, "marginal")
    assert found.shape == (ROWS, agents, agents)
    spread = 0.0
    for b, i, j in itertools.product(range(ROWS), range(agents), range(agents)):
        if i != j:
            expected = by_asking(critic, obs, one_hot, chances, b, i, j)
            assert float(found[b, i, j]) == pytest.approx(expected, abs=1e-12)
            spread = max(spread, abs(expected - float(values[b, i, one_hot[b, i].argmax()])))
    assert spread > 0.01


@pytest.mark.parametrize("agents", [2, 4])
def test_marginal_over_a_certain_action_removes_nothing(agents):
    critic, obs, one_hot, chances, values = made(agents, one_hot_policies=True)
    at = situation(obs, one_hot, chances, values, ROWS)
    chosen = (values * one_hot).sum(-1)[:ROWS]
    found = without_each_other(critic, at, "marginal")
    off = ~torch.eye(agents, dtype=torch.bool)
    change = (found - chosen.unsqueeze(-1))[:, off]
    assert float(change.abs().max()) < 1e-12


@pytest.mark.parametrize("agents", [2, 3, 5])
def test_mask_attends_to_all_but_the_one(agents):
    """One head, one sample, one pair at a time."""
    critic, obs, one_hot, chances, values = made(agents)
    found = without_each_other(critic, situation(obs, one_hot, chances, values, ROWS), "mask")
    seen = normalised(obs, obs).transpose(0, 1)
    encodings = critic.encode(seen, normalised(one_hot, one_hot).transpose(0, 1))
    own = critic.encode_own(seen)
    queries, keys, said = critic.queries(own), critic.keys(encodings), critic.attended_values(encodings)
    for b, i, j in itertools.product(range(ROWS), range(agents), range(agents)):
        if i == j:
            continue
        heard = []
        for h in range(critic.heads):
            left = [k for k in range(agents) if k not in (i, j)]
            total = torch.zeros(said.shape[-1]).double()
            if left:
                weights = (
                    torch.stack([queries[b, h, i] @ keys[b, h, k] for k in left]) / math.sqrt(4)
                ).softmax(0)
                total = sum(w * said[b, h, k] for w, k in zip(weights, left, strict=True))
            heard.append(total)
        rows = torch.cat([own[i, b], *heard])
        first, last = critic.head.layers
        hidden = F.leaky_relu(rows @ first.weight[i] + first.bias[i, 0])
        expected = (hidden @ last.weight[i] + last.bias[i, 0])[one_hot[b, i].argmax()]
        assert float(found[b, i, j].detach()) == pytest.approx(float(expected.detach()), abs=1e-12)


def test_the_authors_form_compares_with_the_other_agents_baseline_by_columns():
    critic, obs, one_hot, chances, values = made(4)
    at = situation(obs, one_hot, chances, values, ROWS)
    found = coordination(critic, at, "baseline_code", threshold=0.0)
    for b, j in itertools.product(range(ROWS), range(4)):
        baseline = float((chances[b, j] * values[b, j]).sum())
        others = [i for i in range(4) if i != j]
        change = torch.tensor([abs(float(values[b, i, one_hot[b, i].argmax()]) - baseline) for i in others])
        torch.testing.assert_close(found[b, others, j].float(), change.softmax(0), rtol=1e-5, atol=1e-6)
        assert float(found[b, j, j]) == 0


@pytest.mark.parametrize("how", ["marginal", "mask", "baseline_code"])
def test_two_agents_hang_on_one_another_whatever_the_values(how):
    critic, obs, one_hot, chances, values = made(2)
    found = coordination(critic, situation(obs, one_hot, chances, values, ROWS), how, threshold=0.2)
    assert torch.equal(found, torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double().expand(ROWS, 2, 2))
    assert not found.requires_grad


def test_coefficients_by_hand():
    change = torch.zeros(4, 4).double()
    change[0, 1:] = torch.tensor([2.0, 1.0, 0.0])
    soft, kept = coefficients(change, 0.0), coefficients(change, 0.2)
    torch.testing.assert_close(
        soft[0], torch.tensor([0, 0.665241, 0.244728, 0.090031]).double(), atol=5e-7, rtol=0
    )
    torch.testing.assert_close(
        kept[0], torch.tensor([0, 0.665241, 0.244728, 0.0]).double(), atol=5e-7, rtol=0
    )


@pytest.mark.parametrize("agents", [2, 3, 8])
def test_rows_sum_to_one_before_the_threshold_and_what_is_kept_reaches_it(agents):
    change = 2 * torch.rand(50, agents, agents, generator=torch.Generator().manual_seed(agents)).double()
    soft, kept = coefficients(change, 0.0), coefficients(change, 0.2)
    torch.testing.assert_close(soft.sum(-1), torch.ones(50, agents).double())
    assert not soft.diagonal(dim1=1, dim2=2).any()
    assert float(kept[kept > 0].min()) >= 0.2
    assert torch.equal(kept, torch.where(soft >= 0.2, soft, 0.0))


def test_of_eight_equal_others_nobody_reaches_the_threshold_and_of_three_both_do():
    assert not coefficients(torch.ones(8, 8), 0.2).any()
    assert torch.equal(coefficients(torch.ones(3, 3), 0.2), (1 - torch.eye(3)) / 2)


def test_other_agents():
    assert other_agents(3, torch.device("cpu")).tolist() == [[1, 2], [0, 2], [0, 1]]
