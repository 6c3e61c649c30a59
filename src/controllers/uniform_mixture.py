"""Exploration in continuous actions: a mixture of the policy's action and uniform noise."""

import torch
from torch import Tensor

from src.components.schedules import LinearSchedule
from src.controllers.epsilon_greedy import EpsilonGreedySettings


class UniformMixture:
    """(1 - epsilon) a + epsilon eta with eta uniform in [-1, 1], fresh for every agent and step (AdaMa, A.3)."""

    Settings = EpsilonGreedySettings

    policy = "continuous actions"

    def __init__(self, settings: EpsilonGreedySettings) -> None:
        self.schedule = LinearSchedule(
            settings.epsilon_start, settings.epsilon_finish, settings.epsilon_anneal_time
        )

    def metrics(self, t_env: int) -> dict[str, float]:
        return {"epsilon": self.schedule.at(t_env)}

    def select(
        self, actions: Tensor, available_actions: Tensor, t_env: int, generator: torch.Generator | None
    ) -> Tensor:
        """[B, N, U] -> [B, N, U]. Without a generator actions stay as they are."""
        if generator is None:
            return actions
        noise = torch.empty_like(actions).uniform_(-1, 1, generator=generator)
        return torch.lerp(actions, noise, self.schedule.at(t_env))
