"""Policies as functions of explicit parameters, so that what an update made of them can be differentiated.

Parameters are a dictionary of tensors with a leading dimension C: as many sets as chains are played side by side.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Params = dict[str, Tensor]
# from the states [C, K] and uniform numbers [C, K] of one step to actions [C, K] int64
Player = Callable[[Tensor, Tensor], Tensor]


class Policy(Protocol):
    """What one agent's behaviour is computed by. It holds sizes and no parameters."""

    def initial(self, generator: torch.Generator) -> Params:
        """One set of fresh parameters, without the dimension C."""

    def log_probs(self, params: Params, states: Tensor) -> Tensor:
        """Of every action in every step: [C, K, T] int64 -> [C, K, T, A]. Can be differentiated twice."""

    def player(self, params: Params, matches: int) -> Player:
        """Who plays K = `matches` new matches in each chain, one call for each step. No gradient."""


def pick(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Actions at random by the inverse distribution: [..., A] and [...] in [0, 1) -> [...] int64."""
    below = probabilities[..., :-1].cumsum(dim=-1)
    return (uniform.unsqueeze(-1) >= below).sum(dim=-1)
