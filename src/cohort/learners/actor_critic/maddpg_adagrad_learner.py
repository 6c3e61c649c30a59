"""Single-critic MADDPG with AdaGrad: the adaptive optimiser that AdaMa is compared with."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.learners.actor_critic.maddpg_learner import MADDPGLearner, MADDPGLearnerSettings
from cohort.learners.base import Minimiser
from cohort.learners.optimisers import Adagrad


class MADDPGAdagradLearnerSettings(MADDPGLearnerSettings):
    adagrad_initial_accumulator: float = Field(
        ge=0, description="where the sums of squared gradients begin: 0 as in torch, 0.1 as in TensorFlow"
    )


class MADDPGAdagradLearner(MADDPGLearner):
    """AdaGrad (Duchi et al. 2011) for critic and actors, begun at the fixed rates (AdaMa, section 4)."""

    Settings = MADDPGAdagradLearnerSettings

    def __init__(self, settings: MADDPGAdagradLearnerSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)

        def adagrad(parameters: list[Tensor], rate: Tensor, maximize: bool) -> Minimiser:
            optimiser = Adagrad(
                parameters,
                lr=float(rate),
                initial_accumulator_value=settings.adagrad_initial_accumulator,
                maximize=maximize,
            )
            return Minimiser(parameters, optimiser, grad_norm_clip=None)

        self.critic_minimiser = adagrad(self.critic_parameters, self.rates.critic, maximize=False)
        self.actor_minimiser = adagrad(self.actor_parameters, self.rates.actors[0], maximize=True)
        self.keep(
            critic_optimiser=self.critic_minimiser.optimiser, actor_optimiser=self.actor_minimiser.optimiser
        )

    def sharpness(self, curvature: Tensor) -> Metrics:
        """Nothing: every parameter has a rate of its own."""
        return {}

    def step_critic(self, gradient: Sequence[Tensor]) -> None:
        self.critic_minimiser.step(gradient)

    def step_actors(self, gradient: Sequence[Tensor]) -> None:
        self.actor_minimiser.step(gradient)
