"""Returns and advantages of padded episodes, as pure functions of whole sequences.

What the functions of episodes are given, with J joint values, 1 for a team's or one for each agent:

    reward      [B, T], one for all, or [B, T, J]
    terminated  [B, T] bool: the episode ended with this step, and nothing comes after it. One that was cut after a
                step (`truncated`) is not terminated: its last step goes on to the value of its last observation.
    value       [B, T, J]: V(s_t)
    next_value  [B, T, J]: V(s_{t+1}), with that of the last observation at the last step
    mask        [B, T] bool: the steps that happened; padding comes after them

Results are [B, T, J], 0 in padding. Whatever stands there, even NaN, enters neither them nor a gradient. Gradients flow
to rewards and values that ask for them.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.components.functional import one_step_target


def discounts(like: Tensor, gamma: float) -> Tensor:
    """gamma^t of the T steps of a tensor, [T]."""
    return gamma ** torch.arange(like.shape[-1], dtype=like.dtype, device=like.device)


def discounted_returns(reward: Tensor, gamma: float) -> Tensor:
    """R_t = sum_{u >= t} gamma^(u-t) r_u, to the horizon and no further, time last: [..., T] -> [..., T]."""
    return reward @ _discounts_ahead(reward, gamma) if gamma else reward


def n_step_returns(
    reward: Tensor, terminated: Tensor, next_value: Tensor, mask: Tensor, gamma: float, n: int
) -> Tensor:
    """G_t = r_t + ... + gamma^(k-1) r_{t+k-1} + gamma^k V(s_{t+k}), k being n or as many steps as are left."""
    steps = torch.arange(mask.shape[-1], device=mask.device)
    last = torch.minimum(steps + n - 1, mask.sum(dim=-1, keepdim=True) - 1).clamp(min=0)  # [B, T]: t + k - 1
    ending = one_step_target(reward, terminated, next_value, gamma)
    ending = ending.gather(1, last.unsqueeze(-1).expand_as(ending))
    before = torch.where(
        _follows(mask), _each(reward, next_value), 0.0
    )  # an episode's last reward is in `ending`
    before = before.transpose(1, 2) @ _discounts_ahead(ending[..., 0], gamma).triu(2 - n)  # n - 1 steps
    weight = gamma ** (last - steps).clamp(min=0).to(ending.dtype)
    return torch.where(mask.unsqueeze(-1), before.transpose(1, 2) + weight.unsqueeze(-1) * ending, 0.0)


def td_lambda_returns(
    reward: Tensor, terminated: Tensor, next_value: Tensor, mask: Tensor, gamma: float, td_lambda: float
) -> Tensor:
    """G_t = r_t + gamma ((1 - lambda) V(s_{t+1}) + lambda G_{t+1}), and V alone after the last step.

    With lambda 0 that is `one_step_target`, with 1 all rewards and what the episode's end is worth (Sutton and Barto
    2018, eq. 12.18).
    """
    share = torch.where(_follows(mask), (1 - td_lambda) * next_value, next_value)
    return _ahead(one_step_target(reward, terminated, share, gamma), mask, gamma * td_lambda)


def gae(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    mask: Tensor,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantages, A_t = sum_{u >= t} (gamma lambda)^(u-t) (r_u + gamma V(s_{u+1}) - V(s_u)).

    Schulman et al. 2016, arXiv:1506.02438, eq. 16. `td_lambda_returns` less `value` comes to the same.
    """
    return _ahead(one_step_target(reward, terminated, next_value, gamma) - value, mask, gamma * gae_lambda)


def tree_backup_returns(
    reward: Tensor,
    terminated: Tensor,
    value: Tensor,
    next_value: Tensor,
    chance: Tensor,
    mask: Tensor,
    gamma: float,
    tree_lambda: float,
    steps: int,
) -> Tensor:
    """Q(s_t, a_t) + sum_{j < steps} (gamma lambda)^j pi(a_{t+1}) ... pi(a_{t+j}) delta_{t+j}.

    delta_t = r_t + gamma E_pi Q(s_{t+1}, .) - Q(s_t, a_t), the tree backup of
    Precup et al. (2000) as DOP has it (arXiv:2007.12322).

    Args:
        reward, terminated, mask: as all functions here have them.
        value: Q(s_t, a_t) of what was done, [B, T, J].
        next_value: E_pi Q(s_{t+1}, .), [B, T, J].
        chance: pi(a_t), that the policy in question would have done the same, [B, T, J].
        gamma: discount.
        tree_lambda: how much of the errors further on enters.
        steps: how many errors enter, at least one.
    """
    real = mask.unsqueeze(-1)
    error = torch.where(real, one_step_target(reward, terminated, next_value, gamma) - value, 0.0)
    chance = torch.where(real, chance, 0.0)
    target = torch.where(real, value, 0.0) + error
    for _ in range(steps - 1):
        later = gamma * tree_lambda * chance * error
        error = torch.cat([later[:, 1:], torch.zeros_like(later[:, :1])], dim=1)
        target = target + error
    return target


def _ahead(values: Tensor, mask: Tensor, discount: float) -> Tensor:
    """Discounted sums from every step to the end of its episode: [B, T, J] and [B, T] -> [B, T, J]."""
    real = torch.where(mask.unsqueeze(-1), values, 0.0)
    return discounted_returns(real.transpose(1, 2), discount).transpose(1, 2)


def _follows(mask: Tensor) -> Tensor:
    """Whether another step comes after each: [B, T] -> [B, T, 1]."""
    return torch.cat([mask[..., 1:], torch.zeros_like(mask[..., :1])], dim=-1).unsqueeze(-1)


def _each(reward: Tensor, values: Tensor) -> Tensor:
    """One reward for all -> one for each of the J values."""
    return (reward if reward.dim() == values.dim() else reward.unsqueeze(-1)).expand_as(values)


def _discounts_ahead(like: Tensor, gamma: float) -> Tensor:
    """[T, T]: gamma^(u-t) in row u and column t, 0 above the diagonal."""
    steps = like.shape[-1]
    return F.pad(discounts(like, gamma), (steps - 1, 0)).unfold(0, steps, 1).flip(1)  # a window along them
