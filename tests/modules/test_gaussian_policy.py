"""The Gaussian recurrent policy: torch's distribution, cells one by one, finite differences."""

import math

import pytest
import torch

from benchmarks.per_step_lstm import PerStepGaussianPolicy
from cohort.modules.policies.distributions import Gaussian
from cohort.modules.policies.lstm import GaussianLSTMPolicy, LSTMNetwork

C, K, T, SEEN, U, H = 2, 3, 5, 4, 3, 6


def policy_and_params(kind=GaussianLSTMPolicy) -> tuple[GaussianLSTMPolicy, dict[str, torch.Tensor]]:
    policy, generator = kind(SEEN, U, H), torch.Generator().manual_seed(0)
    sets = [policy.initial(generator) for _ in range(C)]
    params = {name: torch.stack([each[name] for each in sets]).double() for name in sets[0]}
    for name in ("b_in", "b_ih", "b_out", "log_std"):  # zero at first
        params[name] = 0.3 * torch.randn(params[name].shape, dtype=torch.float64, generator=generator)
    return policy, {name: each.requires_grad_() for name, each in params.items()}


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_has_the_papers_size_and_a_deviation_of_one():
    params = GaussianLSTMPolicy(17, 3, 64).initial(torch.Generator().manual_seed(0))
    assert sum(each.numel() for each in params.values()) == 34_630
    assert torch.equal(params["log_std"], torch.zeros(3))
    assert sum(each.numel() for each in LSTMNetwork(17, 1, 64).initial(torch.Generator()).values()) == 34_497


def test_log_densities_and_entropies_are_torchs():
    mean, log_std, actions = normal(C, K, T, U), normal(C, 1, 1, U, seed=2), normal(C, K, T, U, seed=3)
    ours, theirs = Gaussian(mean, log_std), torch.distributions.Normal(mean, log_std.exp())
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions).sum(-1))
    torch.testing.assert_close(ours.entropy(), theirs.entropy().sum(-1))


def test_the_deviation_is_never_below_a_millionth():
    policy, params = policy_and_params()
    params["log_std"] = torch.full((C, U), -50.0, dtype=torch.float64)
    seen = normal(C, K, T, SEEN)
    assert policy.distribution(params, seen).log_std.unique().item() == pytest.approx(math.log(1e-6))
    player = policy.player(params, K, T)
    first = player(seen[:, :, 0], torch.ones(C, K, U, dtype=torch.float64))
    torch.testing.assert_close(
        first, policy.distribution(params, seen).mean[:, :, 0] + 1e-6, atol=1e-12, rtol=1e-12
    )


def test_both_derivatives_are_those_of_finite_differences():
    policy, params = policy_and_params()
    seen, actions = normal(C, K, 3, SEEN), normal(C, K, 3, U, seed=3)
    names = list(params)

    def log_prob_and_entropy(*values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        distribution = policy.distribution(dict(zip(names, values, strict=True)), seen)
        return distribution.log_prob(actions), distribution.entropy()

    values = tuple(params.values())
    assert torch.autograd.gradcheck(log_prob_and_entropy, values)
    assert torch.autograd.gradgradcheck(log_prob_and_entropy, values, fast_mode=True)


def test_the_sequence_is_the_plain_policy():
    seen, actions = normal(C, K, T, SEEN), normal(C, K, T, U, seed=3)
    found = []
    for kind in (GaussianLSTMPolicy, PerStepGaussianPolicy):
        policy, params = policy_and_params(kind)
        values = policy.distribution(params, seen).log_prob(actions)
        first = torch.autograd.grad((values**2).sum(), list(params.values()), create_graph=True)
        second = torch.autograd.grad(sum((each**2).sum() for each in first), list(params.values()))
        found.append([values, *first, *second])
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-10, rtol=1e-9)


def test_a_player_acts_by_the_distribution_and_leaves_what_it_can_go_on_from():
    """Mean plus deviation times the drawn number, step by step; the same gradients from the trace and without."""
    policy, params = policy_and_params()
    seen, draws = normal(C, K, T, SEEN), normal(C, K, T, U, seed=3)
    player = policy.player(params, K, T)
    actions = torch.stack([player(seen[:, :, step], draws[:, :, step]) for step in range(T)], dim=2)
    found = []
    for trace in (player.trace, None):
        distribution = policy.distribution(params, seen, trace)
        torch.testing.assert_close(actions, distribution.mean + distribution.log_std.exp() * draws)
        values = distribution.log_prob(actions)
        first = torch.autograd.grad((values**2).sum(), list(params.values()), create_graph=True)
        second = torch.autograd.grad(sum((each**2).sum() for each in first), list(params.values()))
        found.append([values, *first, *second])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-9)
