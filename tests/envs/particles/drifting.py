"""A scenario that uses all that the core leaves open: forces, contacts, discrete actions, a reward for each agent."""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cohort.envs.base import EnvSpec
from cohort.envs.particles.bodies import Body
from cohort.envs.particles.env import ParticleEnv, ParticleSettings
from cohort.envs.particles.world import Dynamics, accelerate, contact_forces

DYNAMICS = Dynamics()


class Scene(NamedTuple):
    agents: Tensor  # [B, 3, 2]
    landmarks: Tensor  # [B, 1, 2]
    velocities: Tensor  # [B, 3, 2]


class Drifting(ParticleEnv):
    """Three agents that push themselves along an axis towards a landmark; each is paid for its own distance."""

    Settings = ParticleSettings
    Scene = Scene
    title = "drifting"

    def __init__(self, settings: ParticleSettings, **options: Any) -> None:
        super().__init__(settings, **options)
        self._pushes = torch.tensor([[0.0, 0.0], [-5, 0], [5, 0], [0, -5], [0, 5]])
        self._reach, self._touching = torch.full((3, 3), 0.3), torch.ones(3, 3, dtype=torch.bool)

    def bodies(self) -> tuple[Body, ...]:
        return *(Body("agent") for _ in range(3)), Body("landmark")

    def facts(self) -> EnvSpec:
        return replace(super().facts(), n_actions=5, action_dim=0, obs_dim=8, common_reward=False)

    def start(self) -> Scene:
        agents = self.scatter(3)
        return Scene(agents, self.scatter(1), torch.zeros_like(agents))

    def positions(self, scene: Scene) -> Tensor:
        return torch.cat((scene.agents, scene.landmarks), 1)

    def advance(self, scene: Scene, actions: Tensor) -> Scene:
        contacts = contact_forces(scene.agents, self._reach, self._touching, DYNAMICS)
        forces = self._pushes[actions] + contacts
        agents, velocities = accelerate(scene.agents, scene.velocities, forces, DYNAMICS)
        return Scene(agents, scene.landmarks, velocities)

    def observe(self, scene: Scene, places: Tensor) -> Tensor:
        return torch.cat((scene.velocities, super().observe(scene, places)), -1)

    def reward(self, scene: Scene) -> Tensor:
        return -torch.linalg.vector_norm(scene.agents - scene.landmarks, dim=-1)
