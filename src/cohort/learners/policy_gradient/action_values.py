"""What on-policy learners share whose critic values actions: COMA, LICA."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.distributions import Categorical
from cohort.components.episodes import Episodes
from cohort.components.seeding import generator
from cohort.learners.policy_gradient.actor_critic import OnPolicyLearner, OnPolicySettings
from cohort.learners.targets import HardUpdate, TargetRule


class ActionValueSettings(OnPolicySettings):
    td_lambda: float = Field(ge=0, le=1, description="lambda of the critic's targets")
    target_update_updates: int = Field(ge=1, description="updates between two copies into the target critic")


class ActionValueLearner(OnPolicyLearner):
    """The target critic values the actions that follow; where an episode was cut off, those are drawn."""

    policy_kind = "action probabilities"

    def __init__(
        self, settings: ActionValueSettings, *, device: torch.device, seed: int, **parts: Any
    ) -> None:
        super().__init__(settings, device=device, seed=seed, **parts)
        self.generator = generator(seed, "policy samples", device)
        self.keep(generator=self.generator)

    def target_rules(self, settings: ActionValueSettings) -> dict[str, TargetRule]:
        return {"critic": HardUpdate(settings.target_update_updates, "updates")}

    def actions_after(self, episodes: Episodes) -> Tensor:
        """The actions at every moment, drawn from the policy where the episode has none: [B, T+1, N]."""
        drawn = self.decisions(episodes).sample(self.generator)
        played = torch.cat([episodes.actions, drawn[:, -1:]], dim=1)
        exists = torch.cat([episodes.mask, torch.zeros_like(episodes.mask[:, :1])], dim=1)
        return torch.where(exists.unsqueeze(-1), played, drawn)

    def decisions(self, episodes: Episodes) -> Categorical:
        """The live policies at every moment, the exploration of their selector included."""
        values = self.policy.unroll(self.policy.inputs(episodes), episodes)
        decision = self.policy.decide(values, episodes.available_actions)
        return self.policy.action_selector.behaviour(decision, self.t_env)
