"""Exploration by the policy's own chances."""

import torch
from torch import Tensor

from cohort.components.distributions import Categorical, SquashedGaussian
from cohort.controllers.random_steps import RandomStepsSettings, uniform_actions
from cohort.settings import NoSettings


class Sampling:
    """Each agent draws its action from its distribution."""

    Settings = NoSettings

    policy_kind = ("action probabilities", "action densities")

    def __init__(self, settings: NoSettings) -> None:
        pass

    def metrics(self, t_env: int) -> dict[str, float]:
        """There is no schedule: how much is explored is the policy's entropy, which learners log."""
        return {}

    def behaviour(
        self, decision: Categorical | SquashedGaussian, t_env: int
    ) -> Categorical | SquashedGaussian:
        """What actions are drawn from."""
        return decision

    def select(
        self, decision: Categorical | SquashedGaussian, t_env: int, generator: torch.Generator
    ) -> Tensor:
        """-> [B, N] int64, or [B, N, U] float32."""
        return decision.sample(generator)


class RandomThenSampling(Sampling):
    """The same after a beginning of uniform continuous actions (SAC; FACMAC's on MuJoCo)."""

    Settings = RandomStepsSettings
    policy_kind = "action densities"

    def __init__(self, settings: RandomStepsSettings) -> None:
        self.settings = settings

    def select(self, decision: SquashedGaussian, t_env: int, generator: torch.Generator) -> Tensor:
        """-> [B, N, U]."""
        if t_env < self.settings.random_steps:
            return uniform_actions(decision.mode, generator)
        return super().select(decision, t_env, generator)
