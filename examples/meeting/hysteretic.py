"""Hysteretic Q-learning: a learner from outside the tree."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import masked_mean
from cohort.learners.base import Loss
from cohort.learners.value.q_learner import QLearner, QLearnerSettings


class HystereticLearnerSettings(QLearnerSettings):
    disappointment: float = Field(
        ge=0, le=1, description="weight of errors that say an action is worse than thought; 1 is IQL"
    )


class HystereticLearner(QLearner):
    """Hysteretic Q-learning (Matignon, Laurent and Le Fort-Piat 2007, eq. 2), with function approximation.

    Agents that learn on their own punish good actions for their mates' exploration. Errors below zero therefore
    count less. Departs from it in: networks, replay and targets, which are those of IQL here.
    """

    Settings = HystereticLearnerSettings

    def temporal_difference(self, joint: Tensor, target: Tensor, episodes: Episodes) -> Loss:
        """Squared errors over real steps, disappointments weighted; [B, T, J] both."""
        mask = episodes.mask.unsqueeze(-1)
        error = target - joint
        weight = torch.where(error.detach() < 0, self.settings.disappointment, 1.0)
        metrics: Metrics = {"td_error_abs": masked_mean(error.detach().abs(), mask)}
        return Loss(masked_mean(weight * error.square(), mask), metrics)
