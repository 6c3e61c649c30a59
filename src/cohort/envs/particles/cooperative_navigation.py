"""Cooperative navigation: every agent has a landmark of its own, and the last to arrive counts."""

from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.env import GlidingSettings, ParticleEnv


class CooperativeNavigationSettings(GlidingSettings):
    n_agents: int = Field(ge=1, description="agents, and landmarks")


class Scene(NamedTuple):
    agents: Tensor  # [B, N, 2]
    landmarks: Tensor  # [B, N, 2], landmark i belongs to agent i


class CooperativeNavigation(ParticleEnv):
    """N agents and N landmarks; AdaMa's second scenario (section 4).

    r = -max_i |p_i - l_i|. An agent knows its own landmark by its place in the observation.
    """

    Settings = CooperativeNavigationSettings
    Scene = Scene
    title = "cooperative navigation"

    def bodies(self) -> tuple[Body, ...]:
        agents = range(self.settings.n_agents)
        return *(Body("agent") for _ in agents), *(Body("landmark", owner=i) for i in agents)

    def start(self) -> Scene:
        return Scene(agents=self.scatter(self.n_agents), landmarks=self.scatter(self.n_agents))

    def reward(self, scene: Scene) -> Tensor:
        return -torch.linalg.vector_norm(scene.agents - scene.landmarks, dim=-1).amax(1)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        agents, landmarks = places[: self.n_agents], places[self.n_agents :]
        return Marks(lines=list(zip(agents, landmarks, strict=True)))
