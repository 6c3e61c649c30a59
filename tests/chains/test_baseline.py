"""The linear feature baseline against closed forms; advantages of matches against their recursion."""

import pytest
import torch

from cohort.chains.baseline import baseline_features, linear_baseline, match_advantages
from cohort.chains.matches import play_matches
from cohort.components.returns import discounted_returns
from cohort.envs.repeated_games import prisoners_dilemma
from cohort.modules.policies.table import TablePolicy


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_returns_and_advantages_obey_their_recursions():
    reward, value, gamma, smooth = normal(2, 3, 9), normal(2, 3, 9, seed=1), 0.96, 0.95
    returns, advantage = discounted_returns(reward, gamma), match_advantages(reward, value, gamma, smooth)
    following = advantage_ahead = value_ahead = torch.zeros(2, 3, dtype=torch.float64)
    for t in reversed(range(9)):
        following = reward[..., t] + gamma * following
        error = reward[..., t] + gamma * value_ahead - value[..., t]
        advantage_ahead, value_ahead = error + gamma * smooth * advantage_ahead, value[..., t]
        torch.testing.assert_close(returns[..., t], following)
        torch.testing.assert_close(advantage[..., t], advantage_ahead)


def test_with_values_of_zero_and_lambda_1_the_advantage_is_the_return():
    reward = normal(2, 4, 7)
    torch.testing.assert_close(
        match_advantages(reward, torch.zeros_like(reward), 0.9, 1.0), discounted_returns(reward, 0.9)
    )


def test_features_are_the_state_and_powers_of_time():
    features = baseline_features(torch.tensor([[2, 0]]), 3)
    assert features.shape == (1, 2, 7)
    assert features[0, 0].tolist() == [0, 0, 1, 0, 0, 0, 1]
    torch.testing.assert_close(
        features[0, 1], torch.tensor([1, 0, 0, 0.01, 0.0001, 0.000001, 1], dtype=torch.float64)
    )


def test_features_of_vectors_are_these_their_squares_and_powers_of_time():
    features = baseline_features(torch.tensor([[[3.0, -2.0], [0.5, 0.0]]]), 2)
    assert features[0, 0].tolist() == [3, -2, 9, 4, 0, 0, 0, 1]
    torch.testing.assert_close(
        features[0, 1], torch.tensor([0.5, 0, 0.25, 0, 0.01, 0.0001, 0.000001, 1], dtype=torch.float64)
    )
    assert baseline_features(torch.zeros(4, 200, 17), 17).shape == (4, 200, 38)


@pytest.mark.parametrize("kind", ["states", "vectors"])
def test_returns_that_are_linear_in_the_features_are_reproduced(kind):
    states = torch.randint(0, 5, (2, 6, 50), generator=torch.Generator().manual_seed(0))
    of_vectors = baseline_features(normal(2, 6, 50, 3), 3)
    features = (baseline_features(states, 5) if kind == "states" else of_vectors).flatten(1, 2)
    returns = features @ normal(2, features.shape[-1], 3)
    torch.testing.assert_close(linear_baseline(features, returns), returns, atol=1e-3, rtol=1e-3)


def test_a_baseline_carries_no_gradient():
    returns = normal(1, 10, 2).requires_grad_()
    features = normal(1, 10, 3, seed=1)
    assert not linear_baseline(features, returns).requires_grad


def explained(features: torch.Tensor, returns: torch.Tensor) -> float:
    residual = returns - linear_baseline(features, returns)
    return 1 - float(residual.var() / returns.var())


def test_on_the_prisoners_dilemma_aligned_rows_explain_returns_and_mispaired_rows_do_not():
    """The authors' code flattens features time by time and returns match by match: a constant baseline in effect."""
    generator = torch.Generator().manual_seed(3)
    game, policy = prisoners_dilemma(), TablePolicy(5, 2)
    for low in (0.0, 0.5):
        peer = low + 0.5 * torch.rand(1, 5, generator=generator)
        tables = [torch.full((1, 5), 0.5), peer]
        params = [{"logits": torch.stack([(1 - each).log(), each.log()], dim=-1)} for each in tables]
        uniform = torch.rand(1, 64, 150, 2, generator=generator)
        matches = play_matches(game, (policy, policy), params, uniform)
        returns = discounted_returns(matches.reward[..., 0], 0.96)  # [1, K, T]
        features = baseline_features(matches.states, 5)
        assert explained(features.flatten(1, 2), returns.flatten(1)[..., None]) > 0.1
        mispaired = features.transpose(1, 2).flatten(1, 2)
        assert explained(mispaired, returns.flatten(1)[..., None]) < 0.03
