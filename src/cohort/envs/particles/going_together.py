"""Going together: two agents reach a landmark while they stay close to each other."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.env import GlidingSettings, ParticleEnv


class Scene(NamedTuple):
    agents: Tensor  # [B, 2, 2]
    landmarks: Tensor  # [B, 1, 2]


class GoingTogether(ParticleEnv):
    """Two agents and one landmark; AdaMa's first scenario (section 4).

    r = -0.5 (d_1 + d_2) - d_12: distances of the agents to the landmark and to each other.
    """

    Settings = GlidingSettings
    Scene = Scene
    title = "going together"

    def bodies(self) -> tuple[Body, ...]:
        return Body("agent"), Body("agent"), Body("landmark")

    def start(self) -> Scene:
        return Scene(agents=self.scatter(2), landmarks=self.scatter(1))

    def reward(self, scene: Scene) -> Tensor:
        # What the two see holds d_1 and d_2 once and d_12 twice: half the operations of asking for them one by one.
        distances = torch.linalg.vector_norm(self.observation.obs.view(-1, 4, 2), dim=-1)
        return distances.sum(1).mul_(-0.5)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        one, other, landmark = places
        return Marks(lines=[(one, landmark), (other, landmark), (one, other)])
