"""Exploration in continuous actions: at first at random, then the policy's action and normal noise."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.distributions import Point
from cohort.controllers.random_steps import RandomStepsSettings, uniform_actions


class GaussianNoiseSettings(RandomStepsSettings):
    exploration_noise: float = Field(
        ge=0, description="standard deviation of the normal noise in every dimension of an action"
    )


class GaussianNoise:
    """a + sigma n with n normal, fresh for every agent and step, cut to [-1, 1] (FACMAC, MADDPG of its authors)."""

    Settings = GaussianNoiseSettings
    policy_kind = "continuous actions"

    def __init__(self, settings: GaussianNoiseSettings) -> None:
        self.settings = settings

    def metrics(self, t_env: int) -> dict[str, float]:
        return {}

    def select(self, decision: Point, t_env: int, generator: torch.Generator) -> Tensor:
        """[B, N, U] -> [B, N, U]."""
        actions = decision.mode
        if t_env < self.settings.random_steps:
            return uniform_actions(actions, generator)
        noise = torch.empty_like(actions).normal_(std=self.settings.exploration_noise, generator=generator)
        return (actions + noise).clamp(-1, 1)
