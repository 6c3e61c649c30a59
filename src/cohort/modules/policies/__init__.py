"""Policies as functions of explicit parameters, so that what an update made of them can be differentiated.

Parameters are a dictionary of tensors with a leading dimension C: as many sets as chains are played side by side.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from cohort.modules.policies.distributions import Distribution

Params = dict[str, Tensor]


class Player(Protocol):
    """Who plays new matches with given parameters, from the first step to the last. No gradient."""

    def __call__(self, states: Tensor, draws: Tensor) -> Tensor:
        """One step: what is seen, [C, K] int64 or [C, K, O], and what decides -> actions.

        Discrete actions [C, K] int64 by numbers from [0, 1) [C, K]; continuous ones [C, K, U] by normal ones [C, K, U].
        """

    @property
    def trace(self) -> Any:
        """What `distribution` of the same matches can go on from once they are over; None if there is nothing."""


class MemorylessPlayer(Player, Protocol):
    """A player who can say beforehand what it would do wherever it came to."""

    def answers(self, draws: Tensor) -> Tensor:
        """Its actions in each of S states, whatever the step: numbers from [0, 1) [T, C, K] -> [T, C, S, K] int64."""


class Policy(Protocol):
    """What one agent's behaviour is computed by. It holds sizes and no parameters."""

    memoryless: bool
    """Discrete states decide alone, whatever came before: its players are `MemorylessPlayer`."""

    def initial(self, generator: torch.Generator) -> Params:
        """One set of fresh parameters, without the dimension C."""

    def distribution(self, params: Params, states: Tensor, trace: Any = None) -> Distribution:
        """Of the actions in every step of what was seen, [C, K, T, ...]. Can be differentiated twice.

        `trace` is what a player with these parameters left in these states.
        """

    def player(self, params: Params, matches: int, steps: int) -> Player:
        """For K = `matches` matches of T = `steps` in each chain."""


def thresholds(probabilities: Tensor) -> Tensor:
    """Where in [0, 1) one action's share ends and the next one's begins: [..., A] -> [..., A-1]."""
    below = probabilities[..., :-1]
    return below if below.shape[-1] == 1 else below.cumsum(dim=-1)


def pick(between: Tensor, uniform: Tensor) -> Tensor:
    """Actions at random by the inverse distribution: thresholds [..., A-1] and [...] in [0, 1) -> [...] int64."""
    first, *others = between.unbind(dim=-1)
    action = (uniform >= first).long()
    for each in others:
        action += uniform >= each
    return action
