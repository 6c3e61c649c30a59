"""The attention critic against loops over samples, agents and heads; what it reads; what its methods allow."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cohort.modules.critics.attention import AttentionCritic, AttentionCriticSettings, normalised
from tests import harness

GAMES, HIDDEN, HEADS = 7, 12, 3


def critic(agents: int = 3, hidden: int = HIDDEN, heads: int = HEADS, seed: int = 0) -> AttentionCritic:
    torch.manual_seed(seed)
    settings = AttentionCriticSettings(critic_hidden_dim=hidden, attention_heads=heads)
    return AttentionCritic(settings, spec=harness.spec(n_agents=agents)).double()


def inputs(agents: int = 3, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Observations [B, N, 4] and one-hot actions [B, N, 3]."""
    draw = torch.Generator().manual_seed(seed)
    obs = 2 + 3 * torch.randn(GAMES, agents, 4, generator=draw, dtype=torch.float64)
    return obs, F.one_hot(torch.randint(3, (GAMES, agents), generator=draw), 3).double()


def by_loops(subject: AttentionCritic, obs: torch.Tensor, actions: torch.Tensor):
    """Q [B, N, A] and the logits {(b, h, i, j)}, one agent, one head, one sample at a time."""
    agents, width = obs.shape[1], HIDDEN // HEADS
    read = nn.BatchNorm1d(actions.shape[-1] + 4, affine=False).double()
    see = nn.BatchNorm1d(4, affine=False).double()

    def layer(stacked, agent, rows):
        return rows @ stacked.weight[agent] + stacked.bias[agent]

    e, s = [], []
    for j in range(agents):
        e.append(
            F.leaky_relu(layer(subject.encoder, j, read(torch.cat([obs[:, j], actions[:, j]], 1))), 0.01)
        )
        s.append(F.leaky_relu(layer(subject.state_encoder, j, see(obs[:, j])), 0.01))
    values, logits = torch.zeros(GAMES, agents, actions.shape[-1], dtype=torch.float64), {}
    for i in range(agents):
        for b in range(GAMES):
            heads = []
            for h in range(HEADS):
                part = slice(h * width, (h + 1) * width)
                query = subject.query.weight[part] @ s[i][b]
                others = [j for j in range(agents) if j != i]
                for j in others:
                    logits[b, h, i, j] = query @ (subject.key.weight[part] @ e[j][b])
                chances = torch.stack([logits[b, h, i, j] / math.sqrt(width) for j in others]).softmax(0)
                heard = [
                    F.leaky_relu(subject.value.weight[part] @ e[j][b] + subject.value.bias[part], 0.01)
                    for j in others
                ]
                heads.append(sum(chance * each for chance, each in zip(chances, heard, strict=True)))
            rows = torch.cat([s[i][b], *heads]).unsqueeze(0)
            hidden = F.leaky_relu(layer(subject.head.layers[0], i, rows), 0.01)
            values[b, i] = layer(subject.head.layers[1], i, hidden)
    return values, logits


@pytest.mark.parametrize("agents", [2, 3, 5])
def test_values_and_logits_equal_loops_over_samples_agents_and_heads(agents):
    subject, (obs, actions) = critic(agents), inputs(agents)
    values, logits, _ = subject(obs, actions)
    expected, expected_logits = by_loops(subject, obs, actions)
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-12)
    for place, logit in expected_logits.items():
        torch.testing.assert_close(logits[place], logit, rtol=1e-12, atol=1e-12)
    penalty = 0.0
    for i in range(agents):
        for h in range(HEADS):
            own = [expected_logits[b, h, i, j] ** 2 for b in range(GAMES) for j in range(agents) if j != i]
            penalty += sum(own) / len(own)
    torch.testing.assert_close(subject.logit_penalty(logits), penalty, rtol=1e-12, atol=1e-12)


def test_gradients_equal_those_of_the_loops():
    subject, (obs, actions) = critic(), inputs()
    ours = torch.autograd.grad(subject(obs, actions).values.square().sum(), list(subject.parameters()))
    theirs = torch.autograd.grad(
        by_loops(subject, obs, actions)[0].square().sum(), list(subject.parameters())
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


def test_the_own_action_is_no_input_and_the_others_are():
    subject, (obs, actions) = critic(), inputs()
    other = actions.clone()
    other[:, 0] = actions[:, 0].roll(1, dims=1)
    before, after = subject(obs, actions).values, subject(obs, other).values
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.isclose(before[:, 1:], after[:, 1:]).any()


def test_attention_is_shared_out_among_the_others():
    subject, (obs, actions) = critic(5), inputs(5)
    weights = subject.weights(subject(obs, actions).logits)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert not weights.diagonal(dim1=-2, dim2=-1).any()
    assert weights.std() > 0.01
    two = critic(2)
    exchange = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    weights = two.weights(two(*inputs(2)).logits)
    assert torch.equal(weights, exchange.expand_as(weights))


def test_exchanging_two_others_with_equal_encoders_changes_nothing():
    subject, (obs, actions) = critic(4), inputs(4)
    with torch.no_grad():
        for parameter in subject.encoder.parameters():
            parameter[2] = parameter[1]
    order = torch.tensor([0, 2, 1, 3])
    one, other = subject(obs, actions).values, subject(obs[:, order], actions[:, order]).values
    torch.testing.assert_close(one[:, [0, 3]], other[:, [0, 3]])
    assert not torch.isclose(one[:, 1], other[:, 1]).any()


def test_as_many_parameters_as_counted_by_hand():
    agents, obs, actions, hidden = 3, 4, 3, HIDDEN
    per_agent = (obs + actions + 1) * hidden + (obs + 1) * hidden + (2 * hidden + 1) * hidden
    per_agent += (hidden + 1) * actions
    shared = 2 * hidden * hidden + (hidden + 1) * hidden  # K, W_q, V
    subject = critic()
    assert sum(each.numel() for each in subject.parameters()) == agents * per_agent + shared
    meeting = agents * (obs + actions + 1) * hidden + shared
    assert sum(each.numel() for each in subject.shared_parameters()) == meeting


def test_shared_parameters_are_those_that_more_than_one_agents_values_depend_on():
    subject, (obs, actions) = critic(), inputs()
    shared = {id(each) for each in subject.shared_parameters()}
    for parameter in subject.parameters():
        values = subject(obs, actions).values
        reached = torch.stack(
            [torch.autograd.grad(values[:, i].sum(), parameter, retain_graph=True)[0] for i in range(3)]
        )
        touched = (reached != 0).long().sum(0)  # of how many agents' values an entry decides
        assert bool(touched.max() > 1) == (id(parameter) in shared)


def test_distributions_are_read_as_like_what_the_critic_learned_from():
    """Normalised by another batch's statistics, a row depends on itself alone, and a sure action is that action."""
    subject, (obs, actions) = critic(), inputs()
    torch.testing.assert_close(subject(obs, actions, like=actions).values, subject(obs, actions).values)
    draw = torch.Generator().manual_seed(5)
    chances = torch.rand(actions.shape, generator=draw, dtype=torch.float64).softmax(-1)
    changed = chances.clone()
    changed[0] = actions[0]
    values, others = (subject(obs, each, like=actions).values for each in (chances, changed))
    torch.testing.assert_close(others[0], subject(obs, actions).values[0])
    assert torch.equal(values[1:], others[1:])
    assert not torch.allclose(values, subject(obs, chances).values, atol=1e-3)


def test_normalisation_is_batch_normalisation():
    rows = 5 + 2 * torch.randn(64, 3, 4, dtype=torch.float64)
    rows[:, 1, 2] = 7.0  # never differs
    expected = nn.BatchNorm1d(12, affine=False).double()(rows.flatten(1)).view_as(rows)
    torch.testing.assert_close(normalised(rows, rows), expected)


def test_one_agents_action_can_be_exchanged_without_doing_the_rest_again():
    """Only agent j's key and value change with its action: that is what the methods are taken apart for."""
    subject, (obs, actions) = critic(), inputs()
    j, other = 1, actions.clone()
    other[:, j] = actions[:, j].roll(1, dims=1)
    expected = subject(obs, other, like=actions).values

    seen = normalised(obs, obs).transpose(0, 1)
    did = normalised(actions, actions).transpose(0, 1)
    own, encodings = subject.encode_own(seen), subject.encode(seen, did)
    keys, values = subject.keys(encodings), subject.attended_values(encodings)
    queries = subject.queries(own)
    again = subject.encode(seen, normalised(other, actions).transpose(0, 1))
    new_key, new_value = subject.keys(again)[:, :, j], subject.attended_values(again)[:, :, j]
    scale = math.sqrt(HIDDEN // HEADS)
    raw = subject.logits(queries, keys) / scale
    exponents = raw.exp().masked_fill(subject.self_mask, 0.0)  # [B, H, N, N]
    new = ((queries * new_key.unsqueeze(2)).sum(-1) / scale).exp()  # [B, H, N]
    total = exponents.sum(-1) - exponents[..., j] + new
    summed = exponents @ values - exponents[..., j, None] * values[:, :, None, j]
    attended = (summed + new.unsqueeze(-1) * new_value.unsqueeze(2)) / total.unsqueeze(-1)
    found = subject.own_values(own, attended.permute(2, 0, 1, 3).flatten(2)).transpose(0, 1)
    torch.testing.assert_close(found[:, [0, 2]], expected[:, [0, 2]], rtol=1e-12, atol=1e-12)


def test_what_cannot_attend_is_refused():
    with pytest.raises(
        ValueError, match=r"critic_hidden_dim \(10\) must be a multiple of attention_heads \(4\)"
    ):
        AttentionCriticSettings(critic_hidden_dim=10, attention_heads=4)
    with pytest.raises(ValueError, match="one agent alone"):
        critic(agents=1)
