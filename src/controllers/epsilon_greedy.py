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
        if generator is None:
            return greedy_actions(utilities, available_actions)
        agents, actions = utilities.shape[:-1], utilities.shape[-1]
        draws = torch.rand((*agents, 1 + actions), generator=generator, device=utilities.device)
        explore = draws[..., :1] < self.schedule.at(t_env)
        # the best of random scores is uniform over what is available
        return greedy_actions(torch.where(explore, draws[..., 1:], utilities), available_actions)
