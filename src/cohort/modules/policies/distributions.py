"""What a policy says of its actions in many steps at once."""

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from cohort.components.functional import diagonal_gaussian_log_prob, taken


class Distribution(Protocol):
    """Of one agent's actions in each step of K matches in C chains."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """Of what was done, [C, K, T] int64 or [C, K, T, U] -> [C, K, T]."""

    def entropy(self) -> Tensor:
        """[C, K, T]."""


class Categorical(NamedTuple):
    """Over discrete actions."""

    log_probs: Tensor  # [C, K, T, A]

    def log_prob(self, actions: Tensor) -> Tensor:
        return taken(self.log_probs, actions)

    def entropy(self) -> Tensor:
        return -(self.log_probs.exp() * self.log_probs).sum(dim=-1)


class Gaussian(NamedTuple):
    """Over continuous actions whose dimensions are independent."""

    mean: Tensor  # [C, K, T, U]
    log_std: Tensor  # [C, 1, 1, U]

    def log_prob(self, actions: Tensor) -> Tensor:
        return diagonal_gaussian_log_prob(actions, self.mean, torch.exp(2 * self.log_std))

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).expand_as(self.mean).sum(dim=-1)
