"""The proximity term against divergences that autograd differentiates, and numbers known from elsewhere."""

import itertools

import pytest
import torch

from cohort.components.functional import kl_divergence
from cohort.learners.actor_critic.mirror_descent import tsallis_log

ACTIONS = 5


def logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def score_sum(at: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """sum_a pi(a) grad log pi(a) weight(a) = E_pi[grad log pi weight], on the logits `at`: [A]."""
    at = at.clone().requires_grad_()
    log_probs = at.log_softmax(-1)
    return torch.autograd.grad((log_probs.exp().detach() * log_probs * weight.detach()).sum(), at)[0]


def gradient(function, at: torch.Tensor) -> torch.Tensor:
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at.log_softmax(-1)), at)[0]


def test_the_mean_of_score_and_log_ratio_is_the_gradient_of_the_kl():
    new, old = logits(ACTIONS), logits(ACTIONS, seed=1).log_softmax(-1)
    log_probs = new.log_softmax(-1)
    found = score_sum(new, tsallis_log(log_probs, 1.0) - tsallis_log(old, 1.0))
    torch.testing.assert_close(found, gradient(lambda p: kl_divergence(p, old), new), rtol=0, atol=1e-12)


def test_the_whole_weight_is_the_gradient_of_the_advantage_less_the_kl_over_delta():
    new, old, values = logits(ACTIONS), logits(ACTIONS, seed=1).log_softmax(-1), logits(ACTIONS, seed=2)
    log_probs, delta = new.log_softmax(-1), 0.7
    baseline = (log_probs.exp() * values).sum()
    moved = (tsallis_log(log_probs, 1.0) - tsallis_log(old, 1.0)) / delta
    found = score_sum(new, moved - (values - baseline))  # descended
    expected = gradient(lambda p: kl_divergence(p, old) / delta - (p.exp() * values).sum(), new)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("q", [0.2, 1.0])
def test_at_the_old_policy_the_term_has_no_gradient(q):
    log_probs = logits(ACTIONS).log_softmax(-1)
    assert not score_sum(logits(ACTIONS), tsallis_log(log_probs, q) - tsallis_log(log_probs, q)).any()
    of_the_kl = gradient(lambda p: kl_divergence(p, log_probs), logits(ACTIONS))
    assert float(of_the_kl.abs().max()) < 1e-12


@pytest.mark.parametrize("q", [0.2, 1.0])
def test_descending_the_term_brings_policies_together(q):
    new, old = logits(ACTIONS), logits(ACTIONS, seed=1).log_softmax(-1)
    far = [float(kl_divergence(new.log_softmax(-1), old))]
    for _ in range(50):
        log_probs = new.log_softmax(-1)
        new = new - 0.5 * score_sum(new, tsallis_log(log_probs, q) - tsallis_log(old, q))
        far.append(float(kl_divergence(new.log_softmax(-1), old)))
    assert far == sorted(far, reverse=True)
    assert far[-1] < far[0] / 2


def test_log_q_by_hand():
    chances = torch.tensor([0.05, 0.2, 0.5, 1.0]).double()
    expected = torch.tensor([-1.136215, -0.905068, -0.532064, 0.0]).double()
    torch.testing.assert_close(tsallis_log(chances.log(), 0.2), expected, rtol=0, atol=5e-7)
    torch.testing.assert_close(tsallis_log(chances.log(), 1.0), chances.log())
    near = tsallis_log(chances.log(), 1 - 1e-7)
    assert float((near - chances.log()).abs().max()) < 1e-6
    ours, others = (torch.tensor(each).double() for each in ([0.7, 0.2, 0.1], [0.5, 0.3, 0.2]))
    for q, mean in ((1.0, 0.085123), (0.2, 0.114118)):
        found = (ours * (tsallis_log(ours.log(), q) - tsallis_log(others.log(), q))).sum()
        assert float(found) == pytest.approx(mean, abs=5e-7)


def test_what_has_no_chance_is_taken_for_a_millionth():
    impossible = torch.tensor([-torch.inf]).double()
    for q in (0.2, 1.0, 1.5):
        assert float(tsallis_log(impossible, q)) == pytest.approx(
            float(tsallis_log(torch.tensor([1e-6]).double().log(), q)), rel=1e-12
        )


@pytest.mark.parametrize("q", [0.0, 0.2, 0.9, 1.5])
def test_the_score_sum_is_the_gradient_of_a_bregman_divergence(q):
    """Of phi(p) = sum_a p log_q p, times 1 / (2 - q)."""
    new, old = logits(ACTIONS), logits(ACTIONS, seed=1).log_softmax(-1)

    def phi(chances: torch.Tensor) -> torch.Tensor:
        return (chances * (chances ** (1 - q) - 1) / (1 - q)).sum()

    def bregman(log_probs: torch.Tensor) -> torch.Tensor:
        there = old.exp().requires_grad_()
        slope = torch.autograd.grad(phi(there), there)[0]
        return phi(log_probs.exp()) - phi(old.exp()) - (slope * (log_probs.exp() - old.exp())).sum()

    log_probs = new.log_softmax(-1)
    found = score_sum(new, tsallis_log(log_probs, q) - tsallis_log(old, q))
    torch.testing.assert_close((2 - q) * found, gradient(bregman, new), rtol=0, atol=1e-12)


def test_the_kl_of_joint_policies_is_the_sum_of_the_agents():
    """Theorem 3: pi = prod_i pi_i."""
    new, old = (logits(3, 4, seed=seed).log_softmax(-1) for seed in (0, 1))
    joint = [
        torch.stack(
            [sum(each[i, a] for i, a in enumerate(joint)) for joint in itertools.product(range(4), repeat=3)]
        )
        for each in (new, old)
    ]
    torch.testing.assert_close(kl_divergence(*joint), kl_divergence(new, old).sum(), rtol=0, atol=1e-12)


def test_the_kl_of_joints_is_no_less_than_that_of_all_but_one_on_average():
    """Theorem 2, for joint distributions of three agents that need not factor."""
    one, other = (logits(2000, 27, seed=seed).mul(2).softmax(-1).view(-1, 3, 3, 3) for seed in (0, 1))
    whole = kl_divergence(one.flatten(1).log(), other.flatten(1).log())
    parts = [kl_divergence(*(each.sum(dim).flatten(1).log() for each in (one, other))) for dim in (1, 2, 3)]
    assert (whole >= torch.stack(parts).mean(0)).all()


def test_kl_by_hand_and_of_what_has_no_chance():
    ours, others = (torch.tensor(each).double() for each in ([0.7, 0.2, 0.1, 0.0], [0.5, 0.3, 0.2, 0.0]))
    assert float(kl_divergence(ours.log(), others.log())) == pytest.approx(0.085123, abs=5e-7)
    assert float(kl_divergence(others.log(), ours.log())) == pytest.approx(0.092033, abs=5e-7)
    at = torch.tensor([0.3, -0.2, -torch.inf]).double().requires_grad_()
    value = kl_divergence(at.log_softmax(-1), others[[0, 1, 3]].log())
    (slope,) = torch.autograd.grad(value, at)
    assert torch.isfinite(slope).all()
    assert float(slope[2]) == 0
    certain = torch.tensor([0.0, 1.0]).double()
    assert float(kl_divergence(certain.log(), torch.tensor([1.0, 0.0]).double().log())) == torch.inf
