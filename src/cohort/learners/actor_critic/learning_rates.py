"""AdaMa's learning rates as pure functions (Adaptive Learning Rates for Multi-Agent RL, equations 1 to 3)."""

import torch
from torch import Tensor

# below this length a direction is not one
SMALLEST_NORM = 1e-12


def adapted_critic_rate(
    rate: Tensor, contribution: Tensor, *, alpha: float, total: float, scale: Tensor | float, margin: float
) -> Tensor:
    """Equation 2: l_c <- alpha l_c + (1 - alpha) l clip(D / m, eps, 1 - eps). The actors' norm is l - l_c.

    Args:
        rate: l_c, a scalar.
        contribution: D = |<d delta / d phi, dQ / d phi>|, how much the critic's step moves Q, a scalar.
        alpha: weight of the old rate.
        total: l, which critic and actors share.
        scale: m, the contribution at which all of `total` would go to the critic.
        margin: eps, what neither side goes below, as a share of `total`.
    """
    share = (contribution / scale).clamp(margin, 1 - margin)
    return alpha * rate + (1 - alpha) * total * share


def turned_towards(
    rates: Tensor, gain: Tensor, norm: Tensor, *, alpha: float, allow_negative: bool = False
) -> tuple[Tensor, Tensor]:
    """Equations 1 and 3: the vector of the actors' rates, turned towards what raises Q the most.

    v = alpha l_a + (1 - alpha) n_a G / ||G||, l_a <- v n_a / ||v||. Without `allow_negative`, components of v below
    zero, which would lower Q instead of raising it, become zero first; where nothing is left, the direction stays.

    Args:
        rates: l_a of each agent, [N].
        gain: dQ / d l_a: squared norms of the actors' gradients (eq. 1) or their second-order correction (eq. 3), [N].
        norm: n_a, the length that the new vector has.
        alpha: weight of the old vector.

    Returns the new vector [N], and how many components were below zero.
    """
    length = gain.norm()
    pull = norm * gain / length.clamp(min=SMALLEST_NORM)
    turned = torch.where(length < SMALLEST_NORM, rates, alpha * rates + (1 - alpha) * pull)
    negative = (turned < 0).sum()
    if not allow_negative:
        clamped = turned.clamp(min=0)
        turned = torch.where((clamped > 0).any(), clamped, rates)
    return turned * (norm / turned.norm()), negative
