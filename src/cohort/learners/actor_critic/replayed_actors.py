"""What MADDPG and LOLA on DQN share: Adam, one-step errors, and a price for large logits."""

from typing import Any

from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import one_step_target
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.categorical_actors import (
    AdamSettings,
    CategoricalActorsLearner,
    CategoricalActorsSettings,
    add_adam_losses,
)
from cohort.learners.base import Loss


class ReplayedActorsSettings(CategoricalActorsSettings, AdamSettings):
    policy_penalty: float = Field(ge=0, description="weight of each policy's mean squared logit")


class ReplayedActorsLearner(CategoricalActorsLearner):
    """Minimises the losses `critic` and `actor`, in this order; a method adds the values and the actors' step."""

    def __init__(self, settings: ReplayedActorsSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)
        add_adam_losses(self, settings)

    def target(self, batch: Transitions, next_value: Tensor) -> Tensor:
        """y_i = r_i + gamma V_i(o'), [B, N], from the values of what follows, [B, N]."""
        return one_step_target(batch.reward, batch.terminated, next_value, self.settings.gamma)

    def temporal_difference(self, chosen: Tensor, target: Tensor) -> Loss:
        """The sum over agents of their mean squared errors: [B, N] twice."""
        loss = (chosen - target).square().mean(dim=0).sum()
        metrics: Metrics = {"q_taken_mean": chosen.detach().mean(), "target_mean": target.mean()}
        return Loss(loss, metrics)

    def logit_penalty(self, logits: Tensor) -> Tensor:
        """What large logits cost, all actors together: [B, N, A] -> a scalar."""
        return self.settings.policy_penalty * logits.square().mean(dim=(0, 2)).sum()
