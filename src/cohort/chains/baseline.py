"""What the returns of matches are compared with: a linear baseline, or the values of a network."""

import torch
from torch import Tensor

from cohort.components.returns import gae

TIME_UNIT = 100.0  # steps; the linear baseline's time runs in these
RIDGE, RIDGE_TRIES = 1e-5, 5


def baseline_features(states: Tensor, n_inputs: int) -> Tensor:
    """The linear feature baseline's inputs: [..., T] int64 or [..., T, O] -> [..., T, F] float64.

    Discrete states one-hot, of `n_inputs`, or vectors and their squares; then tau, tau^2, tau^3 and 1 with
    tau = t / 100 (Duan et al. 2016). Squares of a one-hot code would repeat it.
    """
    if states.is_floating_point():
        states = states.to(torch.float64)
        seen = torch.cat([states, states.square()], dim=-1).movedim(-1, 0)  # [F - 4, ..., T]
    else:
        inputs = torch.arange(n_inputs, device=states.device).view(-1, *[1] * states.dim())
        seen = (states == inputs).to(torch.float64)
    tau = torch.arange(seen.shape[-1], dtype=torch.float64, device=seen.device) / TIME_UNIT
    times = torch.stack([tau, tau**2, tau**3, torch.ones_like(tau)])  # [4, T]
    times = times.view(4, *[1] * (seen.dim() - 2), -1).expand(4, *seen.shape[1:])
    # In memory each feature's numbers stand together, so that products run along long rows.
    return torch.cat([seen, times]).movedim(0, -1)


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


def match_advantages(reward: Tensor, value: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Generalised advantages in matches that are worth nothing more after T steps: [C, K, T] each -> [C, K, T]."""
    following = torch.cat([value[..., 1:], torch.zeros_like(value[..., :1])], dim=-1)
    played = torch.ones(reward.shape[-1], dtype=torch.bool, device=reward.device)
    return gae(reward.mT, value.mT, following.mT, ~played, played, gamma, gae_lambda).mT
