"""Epsilon-greedy choice of roles, and of actions within them; epsilon begins again once roles are formed."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.distributions import RestrictedUtilities
from cohort.components.functional import greedy_actions
from cohort.components.schedules import LinearSchedule, RestartedSchedule
from cohort.controllers.epsilon import EpsilonSettings
from cohort.controllers.epsilon_greedy import EpsilonGreedy


class RoleEpsilonGreedySettings(EpsilonSettings):
    role_action_spaces_update_start: int = Field(
        ge=0, description="environment steps after which roles are formed; epsilon begins again there"
    )
    epsilon_anneal_time_exp: int = Field(ge=1, description="epsilon_anneal_time from there on")


class RoleEpsilonGreedy(EpsilonGreedy):
    """Roles and actions are explored by the same epsilon (RODE's code). Both fall again when roles are formed."""

    Settings = RoleEpsilonGreedySettings

    provides = ("roles",)

    def __init__(self, settings: RoleEpsilonGreedySettings) -> None:
        super().__init__(settings)
        self.schedule = RestartedSchedule(
            self.schedule,
            settings.role_action_spaces_update_start,
            LinearSchedule(settings.epsilon_start, settings.epsilon_finish, settings.epsilon_anneal_time_exp),
        )

    def select_within(self, decision: RestrictedUtilities, t_env: int, generator: torch.Generator) -> Tensor:
        """Greedily within what the role allows; at random, and where it allows nothing, among all that is available.

        [B, N, A] -> [B, N] int64.
        """
        agents, actions = decision.values.shape[:-1], decision.values.shape[-1]
        draws = torch.rand((*agents, 1 + actions), generator=generator, device=decision.values.device)
        explore = (draws[..., :1] < self.schedule.at(t_env)) | ~decision.possible
        among = torch.where(explore, decision.available, decision.within)
        return greedy_actions(torch.where(explore, draws[..., 1:], decision.values), among)
