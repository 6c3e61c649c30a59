"""The mathematics learners share, as pure functions. J is 1 for a joint value, N for independent ones."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def taken(values: Tensor, actions: Tensor) -> Tensor:
    """The values of the chosen actions: [..., A] and [...] int64 -> [...]."""
    return values.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def greedy_actions(utilities: Tensor, available_actions: Tensor) -> Tensor:
    """Each agent's best available action: [..., A] and [..., A] bool -> [...] int64."""
    return utilities.masked_fill(~available_actions, -math.inf).argmax(dim=-1)


VECTOR = 16  # numbers in a register, which torch's softmax along the last dimension has to fill to be fast
MANY = 512  # rows from which turning them into columns pays


def softmax(logits: Tensor) -> Tensor:
    """Along the last dimension, fast where that is short: [..., K] -> [..., K]."""
    return _by_columns(torch.softmax, logits)


def log_softmax(logits: Tensor) -> Tensor:
    """Along the last dimension, fast where that is short: [..., K] -> [..., K]."""
    return _by_columns(torch.log_softmax, logits)


def _by_columns(function: Callable[[Tensor, int], Tensor], logits: Tensor) -> Tensor:
    """On a CPU, many short rows side by side as columns: 3 to 7 times as fast, and the same to rounding."""
    if torch.compiler.is_compiling():  # and exporting: how many rows there will be is open
        return function(logits, -1)
    length = logits.shape[-1]
    if logits.device.type != "cpu" or length >= VECTOR or logits.numel() < MANY * length:
        return function(logits, -1)
    return function(logits.flatten(0, -2).t(), 0).t().view(logits.shape)


def masked_log_softmax(logits: Tensor, available_actions: Tensor) -> Tensor:
    """log pi over the available actions, -inf elsewhere: [..., A] and [..., A] bool -> [..., A].

    Where nothing is available, as in padding, all are -inf. Neither a logit that is not available nor a gradient that
    comes back to one enters, NaN included.
    """
    nothing = ~available_actions.any(dim=-1, keepdim=True)
    filled = logits.masked_fill(~available_actions, -math.inf).masked_fill(nothing, 0.0)
    return log_softmax(filled).masked_fill(~available_actions, -math.inf)


def sampled_actions(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """One action for each distribution: [..., A] -> [...] int64."""
    drawn = torch.multinomial(probabilities.flatten(0, -2), 1, generator=generator)
    return drawn.view(probabilities.shape[:-1])


def entropy(log_probabilities: Tensor) -> Tensor:
    """-sum_a pi(a) log pi(a), where what has no chance (-inf) counts nothing: [..., A] -> [...].

    Its gradient is 0 there, and 0 where a chance is too small for its type: p log p has an infinite slope at p = 0.
    """
    impossible = log_probabilities.exp() == 0
    possible = log_probabilities.masked_fill(impossible, 0.0)  # as certain as that, it counts nothing either
    return torch.special.entr(possible.exp()).sum(dim=-1)


def kl_divergence(log_probabilities: Tensor, log_others: Tensor) -> Tensor:
    """KL(p || q) = sum_a p(a) (log p(a) - log q(a)): [..., A] twice -> [...].

    What p has no chance of (-inf) counts nothing, and its gradients are 0. Infinite where q has no chance of what p has
    one of.
    """
    impossible = log_probabilities.exp() == 0
    ours, theirs = (each.masked_fill(impossible, 0.0) for each in (log_probabilities, log_others))
    chances = ours.exp().masked_fill(impossible, 0.0)
    return (chances * (ours - theirs)).sum(dim=-1)


def clipped_gain(ratio: Tensor, advantage: Tensor, epsilon: float) -> Tensor:
    """PPO's min(ratio A, clip(ratio, 1 - epsilon, 1 + epsilon) A), arXiv:1707.06347, eq. 7: [...] twice -> [...]."""
    return torch.minimum(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage)


def counterfactual_advantage(values: Tensor, probabilities: Tensor, actions: Tensor) -> Tensor:
    """A_i = Q_i(a_i) - sum_a' pi_i(a') Q_i(a'), own actions alone varying: [..., A] twice and [...] int64 -> [...].

    What has no chance is left out of the sum, so that its value may be anything, NaN included.
    """
    possible = values.masked_fill(probabilities == 0, 0.0)
    return taken(values, actions) - (probabilities * possible).sum(dim=-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where the broadcast `mask` holds. What lies elsewhere, even NaN, does not enter.

    The gradient of `values` is exactly 0 elsewhere. It stays 0 on the way back through any operation with a finite
    derivative there; one with an infinite or NaN derivative, as log at 0, makes NaN of 0. Mask what goes into such an
    operation. A mask that holds nowhere has no mean: NaN.
    """
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0.0).sum() / mask.sum()


def one_step_target(reward: Tensor, terminated: Tensor, next_value: Tensor, gamma: float) -> Tensor:
    """y_t = r_t + gamma (1 - terminated_t) V_{t+1}: [B, T] or [B, T, J], [B, T] bool, [B, T, J] -> [B, T, J]."""
    if reward.dim() < next_value.dim():  # one reward for all
        reward = reward.unsqueeze(-1)
    elif reward.shape != next_value.shape:
        raise ValueError(
            f"rewards {list(reward.shape)} do not go with values {list(next_value.shape)}: where every agent has a "
            "reward of its own, each needs a value of its own (mixer=independent)"
        )
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
