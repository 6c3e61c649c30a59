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


def masked_log_softmax(logits: Tensor, available_actions: Tensor) -> Tensor:
    """log pi over the available actions, -inf elsewhere: [..., A] and [..., A] bool -> [..., A]."""
    return logits.masked_fill(~available_actions, -math.inf).log_softmax(dim=-1)


def sampled_actions(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """One action for each distribution: [..., A] -> [...] int64."""
    drawn = torch.multinomial(probabilities.flatten(0, -2), 1, generator=generator)
    return drawn.view(probabilities.shape[:-1])


def entropy(log_probabilities: Tensor) -> Tensor:
    """-sum_a pi(a) log pi(a), where what has no chance (-inf) counts nothing: [..., A] -> [...]."""
    return torch.special.entr(log_probabilities.exp()).sum(dim=-1)


def counterfactual_advantage(values: Tensor, probabilities: Tensor, actions: Tensor) -> Tensor:
    """A_i = Q_i(a_i) - sum_a' pi_i(a') Q_i(a'), own actions alone varying: [..., A] twice and [...] int64 -> [...]."""
    return taken(values, actions) - (probabilities * values).sum(dim=-1)


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


def clip_per_agent(gradient: Sequence[Tensor], limit: float) -> tuple[list[Tensor], Tensor]:
    """Gradients whose tensors are [N, ...], each agent's shortened to `limit`, and their norms before: [N].

    For each agent what `torch.nn.utils.clip_grad_norm_` does for one.
    """
    norms = inner_per_agent(gradient, gradient).sqrt()
    scale = (limit / (norms + 1e-6)).clamp(max=1)
    return [each * scale.view(-1, *[1] * (each.dim() - 1)) for each in gradient], norms
