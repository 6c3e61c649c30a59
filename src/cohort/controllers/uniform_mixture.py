"""Exploration in continuous actions: a mixture of the policy's action and uniform noise."""

import torch
from torch import Tensor

from cohort.controllers.epsilon import EpsilonSelector


class UniformMixture(EpsilonSelector):
    """(1 - epsilon) a + epsilon eta with eta uniform in [-1, 1], fresh for every agent and step (AdaMa, A.3)."""

    policy = "continuous actions"

    def select(
        self, actions: Tensor, available_actions: Tensor, t_env: int, generator: torch.Generator | None
    ) -> Tensor:
        """[B, N, U] -> [B, N, U]. Without a generator actions stay as they are."""
        if generator is None:
            return actions
        noise = torch.empty_like(actions).uniform_(-1, 1, generator=generator)
        return torch.lerp(actions, noise, self.schedule.at(t_env))
