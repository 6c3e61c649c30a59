"""Epsilon-greedy choice among the actions that are available."""

import torch
from torch import Tensor

from cohort.components.functional import greedy_actions
from cohort.controllers.epsilon import EpsilonSelector


class EpsilonGreedy(EpsilonSelector):
    """Each agent on its own acts at random with probability epsilon, else greedily."""

    policy = "utilities"

    def select(
        self, utilities: Tensor, available_actions: Tensor, t_env: int, generator: torch.Generator | None
    ) -> Tensor:
        """[B, N, A], [B, N, A] bool -> [B, N] int64. Without a generator the choice is greedy."""
        if generator is None:
            return greedy_actions(utilities, available_actions)
        agents, actions = utilities.shape[:-1], utilities.shape[-1]
        draws = torch.rand((*agents, 1 + actions), generator=generator, device=utilities.device)
        explore = draws[..., :1] < self.schedule.at(t_env)
        # the best of random scores is uniform over what is available
        return greedy_actions(torch.where(explore, draws[..., 1:], utilities), available_actions)
