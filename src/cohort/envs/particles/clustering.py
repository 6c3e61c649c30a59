"""Clustering: agents gather, wherever they like."""

from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.env import GlidingSettings, ParticleEnv


class ClusteringSettings(GlidingSettings):
    n_agents: int = Field(ge=2, description="agents")


class Scene(NamedTuple):
    agents: Tensor  # [B, N, 2]


class Clustering(ParticleEnv):
    """N agents and nothing else; AdaMa's fourth scenario (section 4).

    r = -sum_i |p_i - c|, c the mean of all p_i.
    """

    Settings = ClusteringSettings
    Scene = Scene
    title = "clustering"

    def bodies(self) -> tuple[Body, ...]:
        return (Body("agent"),) * self.settings.n_agents

    def start(self) -> Scene:
        return Scene(agents=self.scatter(self.n_agents))

    def reward(self, scene: Scene) -> Tensor:
        centre = scene.agents.mean(1, keepdim=True)  # [B, 1, 2]
        return -torch.linalg.vector_norm(scene.agents - centre, dim=-1).sum(1)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        centre = places.mean(0)
        return Marks(lines=[(place, centre) for place in places])
