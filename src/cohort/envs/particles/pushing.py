"""Worlds in which an agent's action is one of five pushes, and every agent earns a reward of its own."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cohort.envs.base import EnvSpec
from cohort.envs.particles.env import ParticleEnv, ParticleSettings
from cohort.envs.team_rewards import TeamRewardSettings, pay


class PushingSettings(ParticleSettings, TeamRewardSettings):
    """Keys of the worlds in which an action is a push."""


class PushingEnv(ParticleEnv):
    """Second-order motion by five actions: nothing, or a push along an axis, one way or the other.

    A scenario states `pushes`, `seen`, `earned` and what every scenario states but `reward`. State: all observations in
    a row, as the particle environments have it.
    """

    Settings: type[PushingSettings] = PushingSettings
    pushes: tuple[tuple[float, float], ...]  # the force of each action

    def __init__(self, settings: PushingSettings, **options: Any) -> None:
        """Prepare the games; `options` are those of `ParticleEnv`."""
        super().__init__(settings, **options)
        self._pushes = torch.tensor(self.pushes, device=self.device)  # [A, 2]

    def seen(self) -> int:
        """O, the size of an observation."""
        raise NotImplementedError

    def earned(self, scene: Any) -> Tensor:
        """[B, N] each agent's own reward after the move."""
        raise NotImplementedError

    def reward(self, scene: Any) -> Tensor:
        return pay(self.earned(scene), self.settings)

    def state(self, obs: Tensor, places: Tensor) -> Tensor:
        return obs.flatten(1)

    def facts(self) -> EnvSpec:
        return replace(
            super().facts(),
            n_actions=len(self.pushes),
            action_dim=0,
            obs_dim=self.seen(),
            state_dim=self.n_agents * self.seen(),
            common_reward=self.settings.common_reward,
        )
