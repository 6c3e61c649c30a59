"""Single-critic MADDPG with AdaGrad: the adaptive optimiser that AdaMa is compared with."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.learners.actor_critic.maddpg_learner import MADDPGLearner, MADDPGLearnerSettings


class MADDPGAdagradLearnerSettings(MADDPGLearnerSettings):
    adagrad_initial_accumulator: float = Field(
        ge=0, description="where the sums of squared gradients begin: 0 as in torch, 0.1 as in TensorFlow"
    )


class MADDPGAdagradLearner(MADDPGLearner):
    """AdaGrad (Duchi et al. 2011) for critic and actors, begun at the fixed rates (AdaMa, section 4)."""

    Settings = MADDPGAdagradLearnerSettings

    def __init__(self, settings: MADDPGAdagradLearnerSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)

        def adagrad(parameters: list[Tensor], rate: Tensor, maximize: bool) -> torch.optim.Adagrad:
            return torch.optim.Adagrad(
                parameters,
                lr=float(rate),
                initial_accumulator_value=settings.adagrad_initial_accumulator,
                maximize=maximize,
            )

        self.critic_optimiser = adagrad(self.critic_parameters, self.rates.critic, maximize=False)
        self.actor_optimiser = adagrad(self.actor_parameters, self.rates.actors[0], maximize=True)

    def descend(self, gradient: Sequence[Tensor]) -> None:
        _step(self.critic_optimiser, self.critic_parameters, gradient)

    def ascend(self, gradient: Sequence[Tensor]) -> None:
        _step(self.actor_optimiser, self.actor_parameters, gradient)

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"critic_optimiser": self.critic_optimiser, "actor_optimiser": self.actor_optimiser}


def _step(optimiser: torch.optim.Optimizer, parameters: Sequence[Tensor], gradient: Sequence[Tensor]) -> None:
    for parameter, each in zip(parameters, gradient, strict=True):
        parameter.grad = each
    optimiser.step()
