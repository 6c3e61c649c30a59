"""Going together: two agents reach a landmark while they stay close to each other."""

from typing import NamedTuple

import torch
from torch import Tensor

from src.envs.particles.env import Body, ParticleEnv, ParticleSettings


class Scene(NamedTuple):
    agents: Tensor  # [B, 2, 2]
    landmarks: Tensor  # [B, 1, 2]


class GoingTogether(ParticleEnv):
    """Two agents and one landmark; AdaMa's first scenario (section 4).

    r = -0.5 (d_1 + d_2) - d_12: distances of the agents to the landmark and to each other.
    """

    Settings = ParticleSettings
    Scene = Scene

    def bodies(self) -> tuple[Body, ...]:
        return Body("agent"), Body("agent"), Body("landmark")

    def start(self) -> Scene:
        return Scene(agents=self.scatter(2), landmarks=self.scatter(1))

    def reward(self, scene: Scene) -> Tensor:
        to_landmark = torch.linalg.vector_norm(scene.agents - scene.landmarks, dim=-1)  # [B, 2]
        apart = torch.linalg.vector_norm(scene.agents[:, 0] - scene.agents[:, 1], dim=-1)  # [B]
        return -0.5 * to_landmark.sum(1) - apart
