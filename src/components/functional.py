"""The mathematics learners share, as pure functions. J is 1 for a joint value, N for independent ones."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def taken(values: Tensor, actions: Tensor) -> Tensor:
    """The values of the chosen actions: [..., A] and [...] int64 -> [...]."""
    return values.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def greedy_actions(utilities: Tensor, available_actions: Tensor) -> Tensor:
    """Each agent's best available action: [..., A] and [..., A] bool -> [...] int64."""
    return utilities.masked_fill(~available_actions, -math.inf).argmax(dim=-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where the broadcast `mask` holds. What lies elsewhere, even NaN, does not enter."""
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0.0).sum() / mask.sum()


def one_step_target(reward: Tensor, terminated: Tensor, next_value: Tensor, gamma: float) -> Tensor:
    """y_t = r_t + gamma (1 - terminated_t) V_{t+1}: [B, T] or [B, T, J], [B, T] bool, [B, T, J] -> [B, T, J]."""
    if reward.dim() < next_value.dim():  # one reward for all
        reward = reward.unsqueeze(-1)
    return reward + gamma * torch.where(terminated.unsqueeze(-1), 0.0, next_value)


def diagonal_gaussian_log_prob(sample: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """log N(sample; mean, diag(variance)), summed over the last dimension: [..., K] -> [...]."""
    squared = (sample - mean).square() / variance
    return -0.5 * (squared + variance.log() + math.log(2 * math.pi)).sum(dim=-1)


def inner(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """<one, other> over all parameters of two gradients: a scalar."""
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()


def inner_per_agent(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """<one_i, other_i> for each agent i of two gradients whose tensors are [N, ...]: [N]."""
    return torch.stack([(a * b).flatten(1).sum(1) for a, b in zip(one, other, strict=True)]).sum(0)
