"""Epsilon-greedy choice among the actions that are available."""

import torch
from pydantic import Field
from torch import Tensor

from src.components.functional import greedy_actions
from src.components.schedules import LinearSchedule
from src.settings import Settings


class EpsilonGreedySettings(Settings):
    epsilon_start: float = Field(
        ge=0, le=1, description="chance of a random action at the first step, or weight of the noise"
    )
    epsilon_finish: float = Field(ge=0, le=1, description="the same after the annealing")
    epsilon_anneal_time: int = Field(ge=1, description="environment steps over which epsilon falls in a line")


class EpsilonGreedy:
    """Each agent on its own acts at random with probability epsilon, else greedily."""

    Settings = EpsilonGreedySettings

    policy = "utilities"

    def __init__(self, settings: EpsilonGreedySettings) -> None:
        self.schedule = LinearSchedule(
            settings.epsilon_start, settings.epsilon_finish, settings.epsilon_anneal_time
        )

    def metrics(self, t_env: int) -> dict[str, float]:
        return {"epsilon": self.schedule.at(t_env)}

    def select(
        self, utilities: Tensor, available_actions: Tensor, t_env: int, generator: torch.Generator | None
    ) -> Tensor:
        """[B, N, A], [B, N, A] bool -> [B, N] int64. Without a generator the choice is greedy."""
        greedy = greedy_actions(utilities, available_actions)
        if generator is None:
            return greedy
        draws = torch.rand(
            (*greedy.shape, utilities.shape[-1] + 1), generator=generator, device=utilities.device
        )
        explore, scores = draws[..., 0] < self.schedule.at(t_env), draws[..., 1:]
        random = scores.masked_fill_(~available_actions, -1.0).argmax(
            dim=-1
        )  # uniform over what is available
        return torch.where(explore, random, greedy)
