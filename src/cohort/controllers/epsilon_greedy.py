"""Epsilon-greedy choice among the actions that are available."""

import torch
from torch import Tensor

from cohort.components.distributions import Utilities
from cohort.components.functional import greedy_actions
from cohort.controllers.epsilon import EpsilonSelector


class EpsilonGreedy(EpsilonSelector):
    """Each agent on its own acts at random with probability epsilon, else greedily."""

    policy_kind = "utilities"

    def select(self, decision: Utilities, t_env: int, generator: torch.Generator) -> Tensor:
        """[B, N, A] -> [B, N] int64."""
        return epsilon_greedy(decision, self.schedule.at(t_env), generator)


def epsilon_greedy(decision: Utilities, epsilon: float, generator: torch.Generator) -> Tensor:
    """Each choice on its own at random with probability epsilon, else greedily: [..., A] -> [...] int64."""
    utilities = decision.values
    draws = torch.rand(
        (*utilities.shape[:-1], 1 + utilities.shape[-1]), generator=generator, device=utilities.device
    )
    explore = draws[..., :1] < epsilon
    # the best of random scores is uniform over what is available
    return greedy_actions(torch.where(explore, draws[..., 1:], utilities), decision.available)
