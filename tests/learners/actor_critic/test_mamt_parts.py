"""Modelling policies, non-stationarity and learned trust regions, each by loops or closed forms."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cohort.learners.actor_critic.modelling import (
    ModellingPolicies,
    ModellingSettings,
    model_error,
    modelled,
    surrogate,
)
from cohort.learners.actor_critic.trust_regions import LearnedTrustRegions, LearnedTrustRegionSettings
from tests import harness

SAMPLES, AGENTS, ACTIONS = 7, 3, 3


def models() -> ModellingPolicies:
    torch.manual_seed(0)
    settings = ModellingSettings(
        modelling_hidden_dims=(8, 6), modelling_lr=0, modelling_grad_norm_clip=1, modelling_penalty=0
    )
    return ModellingPolicies(settings, spec=harness.spec(n_agents=AGENTS)).double()


def seen(seed: int = 1):
    """obs [B, N, 4], actions [B, N], available actions [B, N, 3]: agent 2 has but two actions."""
    draw = torch.Generator().manual_seed(seed)
    available = torch.ones(SAMPLES, AGENTS, ACTIONS, dtype=torch.bool)
    available[:, 2, 2] = False
    available[0, 0, 1] = False
    scores = torch.rand(SAMPLES, AGENTS, ACTIONS, generator=draw).masked_fill(~available, -1)
    return torch.randn(SAMPLES, AGENTS, 4, generator=draw).double(), scores.argmax(-1), available


def test_models_and_their_loss_equal_loops_over_pairs():
    subject, (obs, actions, available) = models(), seen()
    logits = subject(obs)
    log_models = modelled(logits, available)
    cross_entropy, loss = subject.loss(log_models, logits, actions, penalty=0.3)
    norm, total, squares = nn.BatchNorm1d(4, affine=False).double(), 0.0, 0.0
    for i in range(AGENTS):
        rows = norm(obs[:, i])
        for layer in subject.networks.layers[:-1]:
            rows = F.leaky_relu(rows @ layer.weight[i] + layer.bias[i])
        last = subject.networks.layers[-1]
        rows = rows @ last.weight[i] + last.bias[i]
        for j in range(AGENTS):
            if i == j:
                continue
            own = rows[:, j * ACTIONS : (j + 1) * ACTIONS]
            logs = own.masked_fill(~available[:, j], -math.inf).log_softmax(-1)
            torch.testing.assert_close(log_models[:, i, j], logs)
            total += -logs.gather(1, actions[:, j : j + 1]).mean() / (AGENTS * (AGENTS - 1))
            squares += own.square().mean() / (AGENTS * (AGENTS - 1))
    torch.testing.assert_close(cross_entropy, total)
    torch.testing.assert_close(loss, total + 0.3 * squares)
    gradient = torch.autograd.grad(loss, list(subject.parameters()))
    assert all(torch.isfinite(each).all() for each in gradient)


def test_the_error_of_a_model_is_exact_in_the_actions_and_zero_where_it_is_right():
    subject, (obs, _, available) = models(), seen()
    log_models = modelled(subject(obs), available).detach()
    log_probs = modelled(
        torch.randn(SAMPLES, 1, AGENTS, ACTIONS, generator=torch.Generator().manual_seed(2)).double(),
        available,
    )[:, 0]
    found = model_error(log_models, log_probs)
    for b in range(SAMPLES):
        for i in range(AGENTS):
            for j in range(AGENTS):
                h, p = log_models[b, i, j].exp(), log_probs[b, j].exp()
                expected = sum(
                    float(h[a] * (h[a] / p[a]).log()) for a in range(ACTIONS) if available[b, j, a]
                )
                assert float(found[b, i, j]) == pytest.approx(expected, abs=1e-12)
    assert torch.isfinite(found).all()
    assert (found >= 0).all()
    right = log_probs.unsqueeze(1).expand(-1, AGENTS, -1, -1)
    assert not model_error(right, log_probs).any()
    assert not surrogate(
        torch.ones(SAMPLES, AGENTS, AGENTS).double(), model_error(right, log_probs), 10.0
    ).any()


def test_the_error_of_a_model_by_hand():
    h, p = (torch.tensor(each).double().log() for each in ([0.5, 0.3, 0.2], [0.7, 0.2, 0.1]))
    assert float(model_error(h.view(1, 1, 1, 3), p.view(1, 1, 3))) == pytest.approx(0.092033, abs=5e-7)
    assert float(model_error(p.view(1, 1, 1, 3), h.view(1, 1, 3))) == pytest.approx(0.085123, abs=5e-7)


def test_non_stationarity_is_linear_in_the_coefficients_below_its_limit():
    draw = torch.Generator().manual_seed(0)
    one, other, kl = (torch.rand(5, AGENTS, AGENTS, generator=draw).double() for _ in range(3))
    sums = surrogate(one, kl, 10.0) + 2 * surrogate(other, kl, 10.0)
    torch.testing.assert_close(surrogate(one + 2 * other, kl, 10.0), sums)
    assert (surrogate(one, kl, 10.0) >= 0).all()
    assert float(surrogate(one, 1e3 * kl, 0.5).max()) == 0.5
    by_hand = torch.tensor([[[0.0, 0.6, 0.4], [1.0, 0, 0], [0, 0, 0]]]).double()
    kl = torch.tensor([[[9.0, 0.1, 0.2], [0.3, 9, torch.inf], [1.0, 1.0, 9]]]).double()
    torch.testing.assert_close(surrogate(by_hand, kl, 10.0), torch.tensor([[0.14, 0.3, 0.0]]).double())


def regions(start, budget: float, clip=(0.01, 100.0)) -> LearnedTrustRegions:
    settings = LearnedTrustRegionSettings(
        trust_region_budget=budget,
        trust_region=start,
        trust_region_lr=0.001,
        trust_region_grad_norm_clip=0.5,
        trust_region_clip=clip,
        value_term="penalty",
        n_slow=1,
    )
    return LearnedTrustRegions(settings, n_agents=3).double()


def test_the_slope_of_the_objective_is_the_closed_form():
    """KL = (.03, .01, .02), delta = (.5, 2, 1), KLhat = 0.1 sum delta, a budget of 2."""
    subject, kl = regions((0.5, 2.0, 1.0), 2.0), torch.tensor([0.03, 0.01, 0.02], dtype=torch.float64)
    estimate = (0.1 * subject.sizes).expand(4, -1)
    objective = subject.objective(kl / subject.sizes.detach().square(), estimate)
    (slope,) = torch.autograd.grad(objective, subject.sizes)
    torch.testing.assert_close(
        slope, torch.tensor([-0.98, -1.0975, -1.08], dtype=torch.float64), rtol=0, atol=1e-12
    )


def test_over_budget_every_size_shrinks_and_within_none_does():
    for budget, moved in ((2.0, True), (4.0, False)):
        subject = regions((0.5, 2.0, 1.0), budget)
        before = subject.sizes.detach().clone()
        adam = torch.optim.Adam([subject.sizes], lr=0.001)
        (-subject.objective(torch.zeros(3).double(), torch.ones(4, 3).double())).backward()
        adam.step()
        assert (subject.sizes < before).tolist() == [moved] * 3
        assert float(subject.within_budget) == (not moved)


def test_sizes_stay_within_their_bounds():
    subject = regions(None, 100.0, clip=(0.5, 1.0))
    assert subject.sizes.tolist() == [1.0] * 3
    with torch.no_grad():
        subject.sizes.copy_(torch.tensor([0.1, 0.75, 3.0]))
    subject.clip()
    assert subject.sizes.tolist() == [0.5, 0.75, 1.0]
