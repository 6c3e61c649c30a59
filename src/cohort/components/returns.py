"""Returns, advantages and baselines, as pure functions of whole sequences. Time is the last dimension."""

import torch
from torch import Tensor

TIME_UNIT = 100.0  # steps; the linear baseline's time runs in these
RIDGE, RIDGE_TRIES = 1e-5, 5


def discounted_returns(reward: Tensor, gamma: float) -> Tensor:
    """R_t = sum_{u >= t} gamma^(u-t) r_u, to the horizon and no further: [..., T] -> [..., T]."""
    return reward @ _discounts(reward, gamma)


def gae(reward: Tensor, value: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Generalised advantages (Schulman et al. 2016): [..., T] each -> [..., T]. The value after the last step is 0.

    A_t = sum_{u >= t} (gamma lambda)^(u-t) (r_u + gamma V_{u+1} - V_u).
    """
    following = torch.cat([value[..., 1:], torch.zeros_like(value[..., :1])], dim=-1)
    return discounted_returns(reward + gamma * following - value, gamma * gae_lambda)


def baseline_features(states: Tensor, n_states: int) -> Tensor:
    """The linear feature baseline's inputs for discrete states: [..., T] int64 -> [..., T, n_states + 4] float64.

    One-hot state, tau, tau^2, tau^3 and 1 with tau = t / 100 (Duan et al. 2016). Squared observations, which the
    baseline has for other games, would repeat the one-hot code.
    """
    return _with_time(torch.nn.functional.one_hot(states, n_states).to(torch.float64))


def vector_baseline_features(observations: Tensor) -> Tensor:
    """The same for vectors: [..., T, O] -> [..., T, 2 O + 4] float64, with their squares."""
    observations = observations.to(torch.float64)
    return _with_time(torch.cat([observations, observations.square()], dim=-1))


def _with_time(features: Tensor) -> Tensor:
    """[..., T, F] -> [..., T, F + 4]."""
    tau = torch.arange(features.shape[-2], dtype=torch.float64, device=features.device) / TIME_UNIT
    times = torch.stack([tau, tau**2, tau**3, torch.ones_like(tau)], dim=-1)  # [T, 4]
    return torch.cat([features, times.expand(*features.shape[:-1], 4)], dim=-1)


def linear_baseline(features: Tensor, returns: Tensor) -> Tensor:
    """Least squares on the very batch that it is used on: [..., M, F] float64 and [..., M, Y] -> [..., M, Y].

    Solves (X'X + ridge) w = X'y for every leading index; where that fails, with a ridge ten times as large. Rows of
    features and returns belong together. No gradient flows through it.
    """
    with torch.no_grad():
        transposed = features.transpose(-1, -2)
        left, right = transposed @ features, transposed @ returns.to(features.dtype)
        one = torch.eye(left.shape[-1], dtype=left.dtype, device=left.device)
        for attempt in range(RIDGE_TRIES):
            weights, failed = torch.linalg.solve_ex(left + RIDGE * 10**attempt * one, right)
            if not failed.any() and weights.isfinite().all():
                break
        return (features @ weights).to(returns.dtype)


def _discounts(like: Tensor, gamma: float) -> Tensor:
    """[T, T]: gamma^(u-t) in row u and column t, 0 above the diagonal."""
    steps = torch.arange(like.shape[-1], device=like.device)
    ahead = (steps[:, None] - steps).to(like.dtype)
    return torch.where(ahead >= 0, gamma ** ahead.clamp(min=0), 0.0)
