"""LOLA against hand values and double finite differences; the DQN of joint actions against loops."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from cohort.components.clock import Clock
from cohort.learners.actor_critic.lola import lola_gradient
from cohort.learners.actor_critic.lola_dqn_learner import expected_values
from tests import harness
from tests.builders import PLANE, SMALL, make_learner, random_transitions, with_other_targets

PAIR = dataclasses.replace(SMALL, n_agents=2, n_actions=3, obs_dim=2, common_reward=False)
NOW = Clock(episodes=0)


def learner(spec=PAIR, **typed):
    """In double precision, with targets unlike the live networks."""
    sizes = {"agent_hidden_dims": [3], "critic_hidden_dims": [5, 4]}
    return with_other_targets(make_learner("lola_dqn", spec, **(sizes | typed)), by=0.3)


def double(count: int = 12, spec=PAIR, seed: int = 0):
    return random_transitions(count, spec, seed, torch.float64)


# --- the gradient


def product(parameters):
    """V_1 = V_2 = 1.7 x y."""
    value = 1.7 * parameters[0][0, 0] * parameters[0][1, 0]
    return torch.stack([value, value])


@pytest.mark.parametrize(("lookahead", "expected"), [(False, -1.1866), (True, -1.0132)])
def test_the_two_forms_by_hand(lookahead, expected):
    """With c = 1.7, x = 0.3, y = -0.8 and a step of 0.2: c y + 0.2 c^2 x, and c y + 0.4 c^2 x for the exact one."""
    point = torch.tensor([[0.3], [-0.8]], dtype=torch.float64, requires_grad=True)
    (found,) = lola_gradient(product, [point], 0.2, lookahead=lookahead)
    assert float(found[0, 0]) == pytest.approx(expected, abs=1e-12)
    twice = 2 if lookahead else 1  # the other agent's, x and y exchanged
    assert float(found[1, 0]) == pytest.approx(1.7 * 0.3 + twice * 0.2 * 1.7**2 * -0.8, abs=1e-12)
    assert not found.requires_grad


def tangled(parameters):
    """Two values without any symmetry, of parameters in two tensors."""
    (x, y), (u, v) = (each.flatten(1) for each in parameters)
    first = torch.sin(x @ y + u.sum()) * torch.tanh(v).sum() + (x * x * y).sum()
    second = torch.exp(-(x - 0.5 * y).square().sum()) * (1 + u @ v) + torch.cos(y * u).sum()
    return torch.stack([first, second])


def slope(function, row, epsilon=1e-4):
    """Central differences of a scalar function of one vector."""
    found = torch.zeros_like(row)
    for k in range(len(row)):
        bump = torch.zeros_like(row)
        bump[k] = epsilon
        found[k] = (function(row + bump) - function(row - bump)) / (2 * epsilon)
    return found


def by_differences(values, parameters, rate, lookahead):
    """Both agents' directions, [2, P], from values alone."""
    shapes = [each.shape[1:] for each in parameters]
    sizes = [each[0].numel() for each in parameters]
    rows = torch.cat([each.detach().flatten(1) for each in parameters], dim=1)  # [2, P]

    def joined(agent, own, other):
        both = [own, other] if agent == 0 else [other, own]
        pieces = [each.split(sizes) for each in both]
        return [torch.stack(pair).view(2, *shape) for *pair, shape in zip(*pieces, shapes, strict=True)]

    found = []
    for i in range(2):
        j = 1 - i
        mine, others = rows[i], rows[j]

        def learned(mine, j=j, others=others):
            """grad_j V_j where I am at `mine`."""
            return slope(lambda row: values(joined(j, row, mine))[j], others)

        def gain(mine, other, i=i):
            return values(joined(i, mine, other))[i]

        if lookahead:
            found.append(slope(lambda row, g=gain, s=learned, o=others: g(row, o + rate * s(row)), mine))
            continue
        worth = slope(lambda row, g=gain, m=mine: g(m, row), others)
        first = slope(lambda row, g=gain, o=others: g(row, o), mine)
        found.append(first + rate * slope(lambda row, s=learned, w=worth: s(row) @ w, mine))
    return torch.stack(found)


@pytest.mark.parametrize("lookahead", [False, True])
def test_double_finite_differences(lookahead):
    draw = torch.Generator().manual_seed(4)
    parameters = [
        torch.randn(*shape, generator=draw, dtype=torch.float64).requires_grad_()
        for shape in ((2, 3), (2, 3, 1))
    ]
    found = lola_gradient(tangled, parameters, 0.3, lookahead=lookahead)
    expected = by_differences(tangled, parameters, 0.3, lookahead)
    torch.testing.assert_close(
        torch.cat([each.flatten(1) for each in found], 1), expected, rtol=1e-4, atol=1e-5
    )
    plain = by_differences(tangled, parameters, 0.0, False)
    assert (expected - plain).abs().max() > 0.1, "the other's learning matters here"


@pytest.mark.parametrize("lookahead", [False, True])
def test_without_a_step_of_the_other_it_is_the_plain_gradient(lookahead):
    parameters = [torch.full((2, 3), 0.4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    found = lola_gradient(tangled, parameters, 0.0, lookahead=lookahead)
    for agent in range(2):
        plain = torch.autograd.grad(tangled(parameters)[agent], parameters)
        for one, other in zip(found, plain, strict=True):
            torch.testing.assert_close(one[agent], other[agent])


@pytest.mark.parametrize("lookahead", [False, True])
def test_it_settles_in_matching_pennies_where_plain_gradients_go_round(lookahead):
    """LOLA's own example: chances of one half; plain ascent moves away from them."""
    distances = {}
    for rate in (0.0, 2.0):
        point = torch.tensor([[0.6], [-0.4]], dtype=torch.float64, requires_grad=True)

        def values(parameters):
            first, second = (2 * torch.sigmoid(each) - 1 for each in parameters[0][:, 0])
            return torch.stack([first * second, -first * second])

        start = float(point.detach().norm())
        for _ in range(150):
            (step,) = lola_gradient(values, [point], rate, lookahead=lookahead)
            point = (point + 0.3 * step).detach().requires_grad_()
        distances[rate] = float(point.detach().norm()) / start
    assert distances[0.0] > 1.2
    assert distances[2.0] < 0.1


# --- the learner


def policies(network, obs, available, parameters=None):
    """pi_1 and pi_2, layer by layer: [B, A] each; `parameters` in place of the network's own."""
    layers = network.networks.layers
    stacked = [(each.weight, each.bias) for each in layers]
    if parameters is not None:
        stacked = list(zip(parameters[::2], parameters[1::2], strict=True))
    found = []
    for agent in range(2):
        rows = obs[:, agent]
        rows = (rows - rows.mean(0)) / torch.sqrt(rows.var(0, correction=0) + 1e-5)
        for number, (weight, bias) in enumerate(stacked):
            rows = rows @ weight[agent] + bias[agent, 0]
            rows = F.leaky_relu(rows, 0.01) if number < len(stacked) - 1 else rows
        found.append(rows.masked_fill(~available[:, agent], -1e9).softmax(1))
    return found


def slow_values(pairs, chances):
    """V_i of every sample, one pair of actions after the other: [B, 2]."""
    actions = range(pairs.shape[-1])
    return sum(
        pairs[:, :, a, b] * (chances[0][:, a] * chances[1][:, b]).unsqueeze(1)
        for a in actions
        for b in actions
    )


def test_the_critic_values_every_pair_of_actions_for_each_agent():
    ours, batch = learner(), double()
    pairs = ours.critic(batch.obs)
    assert pairs.shape == (12, 2, 3, 3)
    seen = [
        (each - each.mean(0)) / torch.sqrt(each.var(0, correction=0) + 1e-5) for each in batch.obs.unbind(1)
    ]
    for agent in range(2):
        rows = torch.cat(seen, dim=1)
        *hidden, last = ours.critic.networks.layers
        for layer in hidden:
            rows = F.leaky_relu(rows @ layer.weight[agent] + layer.bias[agent, 0], 0.01)
        rows = rows @ last.weight[agent] + last.bias[agent, 0]
        for first in range(3):
            for second in range(3):
                torch.testing.assert_close(pairs[:, agent, first, second], rows[:, 3 * first + second])


def test_the_critics_loss_sample_by_sample():
    ours, batch = learner(), double(30)
    assert batch.terminated.any()
    assert batch.truncated.any()
    chances = policies(ours.targets["policy"].network, batch.next_obs, batch.next_available_actions)
    after = slow_values(ours.targets["critic"](batch.next_obs), chances)
    pairs, total = ours.critic(batch.obs), 0.0
    for b in range(30):
        for i in range(2):
            y = batch.reward[b, i] + (0.0 if batch.terminated[b] else 0.99 * after[b, i])
            total = total + (pairs[b, i, batch.actions[b, 0], batch.actions[b, 1]] - y.detach()) ** 2 / 30
    loss = ours.critic_loss(batch).value
    torch.testing.assert_close(loss, total, rtol=1e-9, atol=1e-12)
    for one, other in zip(
        torch.autograd.grad(loss, ours.critic_parameters),
        torch.autograd.grad(total, ours.critic_parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("lookahead", [False, True])
def test_the_policies_step_is_lolas_of_the_expected_values(lookahead, monkeypatch):
    """The learner's own gradient against double finite differences of loops over actions."""
    ours, batch = learner(lookahead=lookahead, lola_lr=0.7, policy_penalty=0.0), double()
    taken = []
    monkeypatch.setattr(ours, "step_along", lambda name, gradient, loss: taken.append((name, gradient)) or {})
    ours.step_actors(batch)
    ((name, gradient),) = taken
    pairs = ours.critic(batch.obs).detach() * 1.0

    @torch.no_grad()
    def values(parameters):
        chances = policies(ours.policy.network, batch.obs, batch.available_actions, parameters)
        return slow_values(pairs, chances).mean(0)

    expected = by_differences(values, ours.actor_parameters, 0.7, lookahead)
    found = -torch.cat([each.flatten(1) for each in gradient], dim=1)
    assert name == "actor"
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-6)


def test_expected_values_by_hand():
    pairs = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 8.0], [0.0, 0.0]]]])
    chances = torch.tensor([[[0.25, 0.75], [0.5, 0.5]]])
    torch.testing.assert_close(expected_values(pairs, chances), torch.tensor([[3.0, 1.0]]))


def test_unavailable_actions_have_no_chance_and_no_gradient():
    for lookahead in (False, True):
        ours, batch = learner(policy_penalty=0.0, lookahead=lookahead, lola_lr=1.0), double()
        only = torch.zeros_like(batch.available_actions)
        only[..., 1] = True
        batch = dataclasses.replace(
            batch, available_actions=only, next_available_actions=only, actions=torch.ones_like(batch.actions)
        )
        before = [each.clone() for each in ours.actor_parameters]
        metrics = ours.update(batch, NOW)
        assert float(metrics["entropy"]) == 0
        assert float(metrics["actor_grad_norm"]) == 0
        assert all(torch.equal(*pair) for pair in zip(before, ours.actor_parameters, strict=True))
        assert all(torch.isfinite(each).all() for each in ours.networks.parameters())


def test_large_logits_cost_what_the_penalty_says():
    ours, batch = learner(policy_penalty=0.5, lola_lr=0.0), double()
    ours.critic.networks.layers[-1].weight.data.zero_()
    ours.critic.networks.layers[-1].bias.data.zero_()  # no value, so that the penalty stands alone
    logits = ours.policy(batch.obs)
    expected = sum(0.5 * logits[:, agent].square().mean() for agent in range(2))
    gradient = torch.autograd.grad(expected, ours.actor_parameters)
    norms = [math.sqrt(sum(float(each[agent].square().sum()) for each in gradient)) for agent in range(2)]
    metrics = ours.step_actors(batch)
    assert float(metrics["actor_loss"]) == pytest.approx(float(expected.detach()))
    assert float(metrics["actor_grad_norm"]) == pytest.approx(sum(norms) / 2)


@pytest.mark.parametrize("lookahead", [False, True])
def test_a_restored_learner_goes_on_the_same(lookahead):
    ours, again = learner(lookahead=lookahead), learner(lookahead=lookahead, seed=5)
    for seed in range(2):
        ours.update(double(seed=seed), NOW)
    again.load_state_dict(ours.state_dict())
    for seed in range(2, 4):
        one, other = (each.update(double(seed=seed), NOW) for each in (ours, again))
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in other.items()
        }
    for name, value in ours.networks.state_dict().items():
        assert torch.equal(value, again.networks.state_dict()[name])


def test_three_agents_are_refused_in_words():
    with pytest.raises(ValueError, match="values the actions of two agents, and here are 3"):
        make_learner("lola_dqn", SMALL)


def test_continuous_actions_are_refused_in_words():
    with pytest.raises(ValueError, match="continuous: choose an algorithm for continuous actions"):
        make_learner("lola_dqn", PLANE)


@pytest.mark.parametrize(
    ("typed", "message"),
    [("lola_lr=-1", "lola_lr"), ("lookahead=maybe", "lookahead"), ("critic=own_joint_mlp", "pair_mlp")],
)
def test_what_it_cannot_read_is_refused(typed, message):
    with pytest.raises(Exception, match=message):
        harness.plan("lola_dqn", "matrix_games", typed)
