"""AdaMa on MAAC: the identity behind its gain, its first-order promise, and one step by hand."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cohort.components.clock import Clock
from cohort.components.functional import inner, inner_per_agent, masked_log_softmax
from cohort.learners.actor_critic.counterfactual import Decisions
from cohort.modules.critics.attention import Valuation
from tests.builders import SMALL, make_learner
from tests.learners.actor_critic.test_maac_learner import double, drawn, fix_draws, learner
from tests.learners.per_agent_maac import PerAgentMAAC


class TableOfLogits(nn.Module):
    """Policies of a game with one state: a row of logits [N, A], whatever is observed."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(obs), -1, -1)


class Multilinear(nn.Module):
    """One payoff for the team, linear in each agent's distribution: [A] * N."""

    def __init__(self, payoff: torch.Tensor) -> None:
        super().__init__()
        self.payoff = nn.Parameter(payoff)

    def forward(
        self, obs: torch.Tensor, actions: torch.Tensor, like: torch.Tensor | None = None
    ) -> Valuation:
        agents = actions.shape[1]
        rows = []
        for i in range(agents):
            values = self.payoff.movedim(i, -1).unsqueeze(0)  # the others' actions, then one's own
            for other in (j for j in range(agents) if j != i):
                weight = actions[:, other].view(len(actions), -1, *[1] * (values.dim() - 2))
                values = (values * weight).sum(1)
            rows.append(values)
        return Valuation(torch.stack(rows, dim=1), None, None)


def one_state_game(agents: int, actions: int, seed: int = 0):
    """A learner with a table of logits for actors and a random payoff for a critic."""
    ours, draw = make_learner("adama_maac", SMALL), torch.Generator().manual_seed(seed)
    payoff = torch.randn([actions] * agents, generator=draw, dtype=torch.float64)
    logits = torch.stack([torch.randn(actions, generator=draw, dtype=torch.float64) for _ in range(agents)])
    ours.policy, ours.critic = TableOfLogits(logits), Multilinear(payoff)
    ours.actor_parameters = list(ours.policy.parameters())
    ours.critic_parameters = list(ours.critic.parameters())
    ours.n_actions = actions
    return ours


def expected_gain(ours, agents: int, actions: int):
    """(E_a <p_i, q_i> over all joint actions, q, the gain of every joint action)."""
    obs = torch.zeros(1, agents, 1)
    everything = torch.ones(1, agents, actions, dtype=torch.bool)

    def decided(joint) -> Decisions:
        logits = ours.policy(obs)
        return Decisions(logits, masked_log_softmax(logits, everything), torch.tensor([joint]))

    slope = ours.distribution_gradient(obs, decided([0] * agents), like=None).actors
    expected, gains = torch.zeros(agents, dtype=torch.float64), []
    for joint in itertools.product(range(actions), repeat=agents):
        decisions = decided(joint)
        gains.append(inner_per_agent(ours.actor_gradient(decisions, ours.advantages(obs, decisions)), slope))
        expected = expected + decisions.chosen.sum().exp().detach() * gains[-1]
    return expected, slope, torch.stack(gains)


@pytest.mark.parametrize(("agents", "actions"), [(2, 3), (2, 5), (3, 4)])
def test_in_a_game_of_one_state_the_expected_gain_is_the_squared_slope(agents, actions):
    """E_a <p_i, q_i> = ||q_i||^2, all joint actions enumerated, though single samples may point elsewhere."""
    ours = one_state_game(agents, actions)
    expected, slope, gains = expected_gain(ours, agents, actions)
    squared = inner_per_agent(slope, slope)
    torch.testing.assert_close(expected, squared, rtol=0, atol=1e-12)
    assert squared.min() > 1e-4
    assert gains.min() < 0

    # q by differences of the payoff's expectation, which knows nothing of the learner
    payoff = ours.critic.payoff.detach()

    def mean_payoff(logits: torch.Tensor) -> float:
        chances = logits.softmax(-1).tolist()
        return sum(
            math.prod(chances[i][a] for i, a in enumerate(joint)) * float(payoff[joint])
            for joint in itertools.product(range(actions), repeat=agents)
        )

    logits, step = ours.policy.logits.detach(), 1e-5
    for i, a in itertools.product(range(agents), range(actions)):
        there = torch.zeros_like(logits)
        there[i, a] = step
        found = (mean_payoff(logits + there) - mean_payoff(logits - there)) / (2 * step)
        assert float(slope[0][i, a]) == pytest.approx(found, abs=1e-9)


def test_the_expected_gain_of_one_game_is_a_number_known_from_elsewhere():
    """Payoff 4 x 4 and logits of two agents from seed 0: agent 0's was computed apart from this code."""
    expected, _, _ = expected_gain(one_state_game(2, 4), 2, 4)
    assert float(expected[0]) == pytest.approx(0.11363443927, abs=5e-12)


def test_small_steps_change_the_value_as_promised():
    """(J after - J) / t -> sum_i l_i <p_i, q_i> for the actors' step, -l_c <g_d, g_Q> for the critic's."""
    ours, batch = learner("adama_maac"), double(60)
    played = ours.one_hot(batch.actions)

    def value() -> float:
        decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)
        return float(ours.distribution_gradient(batch.obs, decisions, like=played).value)

    _, descent, _ = ours.critic_gradient(batch, played)
    decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)
    ascent = ours.actor_gradient(decisions, ours.advantages(batch.obs, decisions, like=played))
    slope = ours.distribution_gradient(batch.obs, decisions, like=played)
    rates, before, step = torch.tensor([0.5, 1.0, 2.0]).double(), value(), 1e-6
    promises = {
        "actors": (rates * inner_per_agent(ascent, slope.actors)).sum(),
        "critic": -inner(descent, slope.critic),
    }
    moves = {
        "actors": [(p, rates.view(-1, 1, 1) * g) for p, g in zip(ours.actor_parameters, ascent, strict=True)],
        "critic": [(p, -g) for p, g in zip(ours.critic_parameters, descent, strict=True)],
    }
    for who, promise in promises.items():
        for sign, size in ((1, step), (-2, step)):
            for parameter, move in moves[who]:
                parameter.data += sign * size * move
            if sign == 1:
                above = value()
        below = value()
        for parameter, move in moves[who]:
            parameter.data += step * move
        assert (above - below) / (2 * step) == pytest.approx(float(promise), rel=1e-5), who
        assert abs(float(promise)) > 1e-5
    assert value() == pytest.approx(before, abs=1e-12)


def test_one_step_by_hand(monkeypatch):
    """Gradients of per-agent loops, equations 1 and 2 written out, plain steps of all parameters at once."""
    alpha, m, margin = 0.9, 0.05, 0.1
    ours = learner(
        "adama_maac", adama_m=m, adama_alpha=alpha, critic_lr=0.004, actor_lr_norm=0.006, gamma=0.9
    )
    reference, batch = PerAgentMAAC(ours), double(50)
    next_actions, actions = drawn(batch, 2)
    fix_draws(monkeypatch, next_actions, actions)
    metrics = ours.update(batch, Clock(episodes=0))

    agents, played = 3, reference.one_hot(batch.actions)
    values, _ = reference.critic(batch.obs, played)
    errors = []
    for i, (after, _) in enumerate(reference.next_values(batch, next_actions)):
        target = batch.reward + 0.9 * (1 - batch.terminated.double()) * after
        errors.append(F.mse_loss(values[i].gather(1, batch.actions[:, i : i + 1])[:, 0], target.detach()))
    g_d = torch.autograd.grad(sum(errors) / agents, reference.critic.parameters)

    chances = [
        actor(batch.obs[:, i], batch.available_actions[:, i])[1] for i, actor in enumerate(reference.actors)
    ]
    at_actions, _ = reference.critic(batch.obs, reference.one_hot(actions), like=played)
    at_chances, _ = reference.critic(batch.obs, torch.stack(chances, 1).exp(), like=played)
    value = sum((chances[i].exp() * at_chances[i]).sum(1).mean() for i in range(agents)) / agents
    g_q = torch.autograd.grad(value, reference.critic.parameters, retain_graph=True)
    p, gain = [], []
    for i, actor in enumerate(reference.actors):
        chosen = actions[:, i : i + 1]
        advantage = at_actions[i].gather(1, chosen) - (chances[i].exp() * at_actions[i]).sum(1, keepdim=True)
        score = (chances[i].gather(1, chosen) * advantage.detach()).mean()
        p.append(torch.autograd.grad(score, actor.parameters, retain_graph=True))
        q = torch.autograd.grad(value, actor.parameters, retain_graph=True)
        gain.append(sum(float((a * b).sum()) for a, b in zip(p[i], q, strict=True)))

    contribution = abs(sum(float((a * b).sum()) for a, b in zip(g_d, g_q, strict=True)))
    share = min(max(contribution / m, margin), 1 - margin)
    l_c = alpha * 0.004 + (1 - alpha) * 0.01 * share
    n_a = 0.01 - l_c
    length = math.sqrt(sum(each**2 for each in gain))
    turned = [alpha * 0.006 / math.sqrt(agents) + (1 - alpha) * n_a * each / length for each in gain]
    norm = math.sqrt(sum(each**2 for each in turned))
    l_a = [each * n_a / norm for each in turned]

    assert float(metrics["critic_contribution"]) == pytest.approx(contribution, rel=1e-9)
    assert float(metrics["critic_lr"]) == pytest.approx(l_c, rel=1e-9)
    assert [float(metrics[f"actor_lr_agent_{i}"]) for i in range(agents)] == pytest.approx(l_a, rel=1e-9)
    assert int(metrics["negative_gains"]) == sum(each < 0 for each in gain)
    assert float(metrics["q_policy_mean"]) == pytest.approx(float(value.detach()), rel=1e-9)
    with torch.no_grad():
        for parameter, each in zip(reference.critic.parameters, g_d, strict=True):
            parameter -= l_c * each
        for i, actor in enumerate(reference.actors):
            for parameter, each in zip(actor.parameters, p[i], strict=True):
                parameter += l_a[i] * each
    for name, expected in reference.critic.stacked().items():
        torch.testing.assert_close(
            dict(ours.critic.named_parameters())[name], expected, rtol=1e-10, atol=1e-12
        )
    for number, layer in enumerate(ours.policy.network.networks.layers):
        theirs = torch.stack([actor.layers[number][0] for actor in reference.actors])
        torch.testing.assert_close(layer.weight, theirs, rtol=1e-10, atol=1e-12)


def test_negative_gains_are_counted_and_turn_no_actor_around(monkeypatch):
    ours, batch = learner("adama_maac", adama_alpha=0.1), double(40)
    decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)
    slope = ours.distribution_gradient(batch.obs, decisions, like=ours.one_hot(batch.actions))
    against = torch.tensor([1.0, -1.0, 1.0]).view(-1, 1, 1)
    monkeypatch.setattr(ours, "distribution_gradient", lambda *_, **__: slope)
    monkeypatch.setattr(ours, "actor_gradient", lambda *_: [against * each for each in slope.actors])
    metrics = ours.step(batch)
    assert int(metrics["negative_gains"]) == int(metrics["negative_actor_lrs"]) == 1
    assert float(ours.rates.actors[1]) == 0
    assert float(ours.rates.actors.norm()) == pytest.approx(float(ours.rates.actor_norm))


def test_alpha_one_is_plain_descent_at_fixed_rates():
    """Rates that never move, whatever is measured."""
    ours = learner("adama_maac", adama_alpha=1.0, adama_m=1.0)
    for seed in range(3):
        ours.update(double(40, seed=seed), Clock(episodes=0))
    assert float(ours.rates.critic) == pytest.approx(0.005)
    assert ours.rates.actors.tolist() == pytest.approx([0.005 / 3**0.5] * 3)


def test_a_restored_learner_goes_on_the_same():
    ours, again = learner("adama_maac"), learner("adama_maac", seed=4)
    ours.update(double(40), Clock(episodes=0))
    again.load_state_dict(ours.state_dict())
    batch = double(40, seed=1)
    one, other = ours.update(batch, Clock(episodes=0)), again.update(batch, Clock(episodes=0))
    assert {name: float(value) for name, value in one.items()} == {
        name: float(value) for name, value in other.items()
    }
