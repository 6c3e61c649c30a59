"""The differentiable Monte-Carlo estimator (DiCE, Foerster et al. 2018, arXiv:1802.05098), as pure functions."""

import torch
from torch import Tensor

from cohort.components.returns import discounts


def box(log_probability: Tensor) -> Tensor:
    """The magic box exp(x - stopgrad(x)): its value is 1, its gradient that of x. [...] -> [...]."""
    return torch.exp(log_probability - log_probability.detach())


def dice_objective(log_probs: Tensor, reward: Tensor, baseline: Tensor, gamma: float) -> Tensor:
    """sum_t gamma^t [box(C_t) r_t + (1 - box(c_t)) b_t], mean over matches: [..., K, T] each -> [...].

    `log_probs` is c_t, the sum of the log-probabilities of every agent whose parameters the reward is to depend on,
    and C_t = sum_{u <= t} c_u. All derivatives are those of the discounted return in expectation; the baseline takes
    variance out of the first only.
    """
    discount = discounts(reward, gamma)
    paid = box(log_probs.cumsum(dim=-1)) * reward
    return (discount * (paid + (1 - box(log_probs)) * baseline)).sum(dim=-1).mean(dim=-1)


def loaded_dice_objective(log_probs: Tensor, returns: Tensor, baseline: Tensor, gamma: float) -> Tensor:
    """sum_t gamma^t [box(C_t) - box(C_{t-1})] (R_t - b_t), mean over matches: [..., K, T] each -> [...].

    Its value is 0, its derivatives of every order are those of the discounted return in expectation, and the baseline
    takes variance out of all of them (loaded DiCE, Farquhar et al. 2019, arXiv:1909.10549). `returns` is R_t.
    """
    until = log_probs.cumsum(dim=-1)
    credit = box(until) - box(until - log_probs)
    return (discounts(returns, gamma) * credit * (returns - baseline)).sum(dim=-1).mean(dim=-1)
