"""Exploration in continuous actions: a mixture of the policy's action and uniform noise."""

import torch
from torch import Tensor

from cohort.components.distributions import Point
from cohort.controllers.epsilon import EpsilonSelector


class UniformMixture(EpsilonSelector):
    """(1 - epsilon) a + epsilon eta with eta uniform in [-1, 1], fresh for every agent and step (AdaMa, A.3)."""

    policy_kind = "continuous actions"

    def select(self, decision: Point, t_env: int, generator: torch.Generator) -> Tensor:
        """[B, N, U] -> [B, N, U]."""
        noise = torch.empty_like(decision.mode).uniform_(-1, 1, generator=generator)
        return torch.lerp(decision.mode, noise, self.schedule.at(t_env))
