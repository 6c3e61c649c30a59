"""Mirror descent's proximity term, as pure functions (MAMT, ICLR 2022, section 3.2; MDPO, arXiv:2005.09814)."""

import math

import torch
from torch import Tensor

SMALLEST_CHANCE = 1e-6  # of what a logarithm is taken, as the authors' code has it


def tsallis_log(log_probabilities: Tensor, q: float) -> Tensor:
    """log_q x = (x^(1-q) - 1) / (1 - q) of x = exp(log_probabilities), log_1 the natural one; x at least 1e-6.

    For q in [0, 2), the score-function sum of log_q pi - log_q pi^old is the gradient of the Bregman divergence of
    phi(p) = sum_a p(a) log_q p(a), divided by 2 - q; with q = 1 it is that of KL(pi || pi^old).
    """
    logs = log_probabilities.clamp(min=math.log(SMALLEST_CHANCE))
    return logs if q == 1 else torch.expm1((1 - q) * logs) / (1 - q)
