"""Heterogeneous predator-prey: predators of different speeds and prey that flee by a rule (ADER, appendix C)."""

import math
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from cohort.envs.base import EnvSpec
from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.env import ParticleEnv, ParticleSettings
from cohort.envs.particles.world import Dynamics, accelerate, contact_forces, scatter

_DYNAMICS = Dynamics()  # OpenAI's particle environments', as FACMAC has them
_BLOCKED = -1e7  # the score of a place where the prey would touch a predator


class HPredatorPreySettings(ParticleSettings):
    world_size: float = Field(
        gt=0, description="W: predators and prey start uniformly in [-W, W]^2; nobody is kept in it"
    )
    max_speeds: tuple[float, ...] = Field(
        min_length=1, description="greatest speed of each predator, as [1.0, 0.75, 0.75]"
    )
    accel: float = Field(gt=0, description="force of a predator's action of 1, per axis")
    n_prey: int = Field(ge=1, description="prey")
    prey_max_speed: float = Field(gt=0, description="greatest speed of the prey")
    prey_force_scale: float = Field(
        ge=0,
        description="force of a fleeing prey: 1 as in FACMAC's code; 4 for prey that reach their greatest speed",
    )
    prey_samples: int = Field(ge=1, description="places that a prey looks at to decide where it flees")
    n_landmarks: int = Field(ge=0, description="obstacles that nobody moves")
    landmark_world_size: float = Field(
        gt=0, description="half the side of the square in which obstacles stand"
    )
    predator_radius: float = Field(gt=0, description="radius of a predator")
    prey_radius: float = Field(gt=0, description="radius of a prey")
    landmark_radius: float = Field(gt=0, description="radius of an obstacle")
    view_radius: float = Field(gt=0, description="distance within which a predator sees others and obstacles")
    reward_catch: float = Field(gt=0, description="reward of a step in which a predator touches a prey")
    reward_per_pair: bool = Field(
        description="paid for each predator and prey that touch; False: once for each prey touched"
    )

    @model_validator(mode="after")
    def _speeds_are_positive(self) -> Self:
        if min(self.max_speeds) <= 0:
            raise ValueError(f"max_speeds = {list(self.max_speeds)}: each must be above 0")
        return self


class Scene(NamedTuple):
    agents: Tensor  # [B, N, 2]
    landmarks: Tensor  # [B, L, 2]
    prey: Tensor  # [B, M, 2]
    velocities: Tensor  # [B, N + M, 2], predators', then prey's


class HPredatorPrey(ParticleEnv):
    """N predators with speed limits of their own, M prey, L obstacles, on a plane without walls.

    Second-order motion with contacts between all. Predators push themselves; each prey looks at `prey_samples` random
    places around it and flees towards the one that is farthest from the predator nearest to it now. The team is paid
    for every touch, after the move.

    Observation of predator i: own velocity and place, obstacles, other predators, prey (all relative to itself), the
    prey's velocities; zeros for what is farther than `view_radius`. State: all observations in a row.

    The dynamics are FACMAC's continuous predator-prey (arXiv:2003.06709), with the speeds and numbers of ADER.
    """

    Settings = HPredatorPreySettings
    Scene = Scene
    title = "heterogeneous predator-prey"

    def __init__(self, settings: HPredatorPreySettings, **options: Any) -> None:
        """Prepare the games; `options` are those of `ParticleEnv`."""
        super().__init__(settings, **options)
        n, m, landmarks = self.n_agents, settings.n_prey, settings.n_landmarks
        device = self.device
        limits = [*settings.max_speeds, *[settings.prey_max_speed] * m]
        self._limits = torch.tensor(limits, device=device)  # [N + M]
        radii = torch.tensor(
            [settings.predator_radius] * n
            + [settings.prey_radius] * m
            + [settings.landmark_radius] * landmarks,
            device=device,
        )
        self._reach = radii + radii[:, None]  # [N + M + L, N + M + L]
        self._touching = torch.ones_like(self._reach, dtype=torch.bool)
        self._touch = settings.predator_radius + settings.prey_radius

    def bodies(self) -> tuple[Body, ...]:
        settings = self.settings
        agents = [Body("agent") for _ in settings.max_speeds]
        landmarks = [Body("landmark") for _ in range(settings.n_landmarks)]
        return *agents, *landmarks, *(Body("prey") for _ in range(settings.n_prey))

    def facts(self) -> EnvSpec:
        n, m = self.n_agents, self.settings.n_prey
        obs_dim = 4 + 2 * self.settings.n_landmarks + 2 * (n - 1 + m) + 2 * m
        return replace(super().facts(), obs_dim=obs_dim, state_dim=n * obs_dim)

    def start(self) -> Scene:
        size, landmarks = self.settings.landmark_world_size, self.settings.n_landmarks
        agents, prey = self.scatter(self.n_agents), self.scatter(self.settings.n_prey)
        obstacles = scatter(self.batch_size, landmarks, size, self.generator, self.device)
        return Scene(agents, obstacles, prey, torch.zeros_like(torch.cat((agents, prey), 1)))

    def positions(self, scene: Scene) -> Tensor:
        return torch.cat((scene.agents, scene.landmarks, scene.prey), 1)

    def advance(self, scene: Scene, actions: Tensor) -> Scene:
        """Everybody decides on what is there, then all move at once."""
        moving = torch.cat((scene.agents, scene.prey), 1)  # [B, N + M, 2]
        pushes = actions.clamp(-1.0, 1.0) * self.settings.accel
        flights = self.flee(scene.agents, scene.prey) * self.settings.prey_force_scale
        everything = torch.cat((moving, scene.landmarks), 1)
        contacts = contact_forces(everything, self._reach, self._touching, _DYNAMICS)[:, : moving.shape[1]]
        forces = torch.cat((pushes, flights), 1) + contacts
        moved, velocities = accelerate(moving, scene.velocities, forces, _DYNAMICS, max_speed=self._limits)
        n = self.n_agents
        return Scene(moved[:, :n], scene.landmarks, moved[:, n:], velocities)

    def flee(self, predators: Tensor, prey: Tensor) -> Tensor:
        """[B, M, 2] the offsets, no longer than 1, to the best of the places that each prey looks at.

        Places are uniform in the unit disc around it. A place's score is its distance to the predator that is nearest
        to the prey now; a place at which the prey would touch any predator is never chosen, so that a prey to which
        all are blocked stays.
        """
        shape = (self.batch_size, prey.shape[1], self.settings.prey_samples)
        draws = torch.rand((2, *shape), generator=self.generator, device=self.device)
        radius, angle = draws[0].sqrt(), draws[1] * (2 * math.pi)
        offsets = torch.stack((radius * angle.cos(), radius * angle.sin()), -1)  # [B, M, K, 2]
        away = prey.unsqueeze(2) - predators.unsqueeze(1)  # [B, M, N, 2]
        distance = torch.linalg.vector_norm(offsets.unsqueeze(3) + away.unsqueeze(2), dim=-1)  # [B, M, K, N]
        nearest = torch.linalg.vector_norm(away, dim=-1).argmin(-1)  # [B, M]
        chosen = nearest[..., None, None].expand(*shape, 1)
        scores = distance.gather(-1, chosen).squeeze(-1)  # [B, M, K]
        scores = scores.masked_fill((distance < self._touch).any(-1), _BLOCKED)
        score, best = scores.max(-1)  # [B, M]
        offset = offsets.gather(2, best[..., None, None].expand(-1, -1, 1, 2)).squeeze(2)
        return offset * (score >= 0).unsqueeze(-1)

    def reward(self, scene: Scene) -> Tensor:
        apart = scene.prey.unsqueeze(2) - scene.agents.unsqueeze(1)  # [B, M, N, 2]
        touches = torch.linalg.vector_norm(apart, dim=-1) < self._touch  # [B, M, N]
        counted = touches if self.settings.reward_per_pair else touches.any(-1)
        return self.settings.reward_catch * counted.flatten(1).sum(1, dtype=torch.float32)

    def observe(self, scene: Scene, places: Tensor) -> Tensor:
        n, landmarks = self.n_agents, self.settings.n_landmarks
        others = super().observe(scene, places).unflatten(-1, (-1, 2))  # [B, N, E - 1, 2]
        seen = torch.linalg.vector_norm(others, dim=-1, keepdim=True) <= self.settings.view_radius
        others = others * seen
        partners, obstacles, prey = others.split((n - 1, landmarks, self.settings.n_prey), 2)
        speeds = scene.velocities[:, None, n:] * seen[:, :, n - 1 + landmarks :]  # [B, N, M, 2]
        own = torch.stack((scene.velocities[:, :n], scene.agents), 2)  # [B, N, 2, 2]
        return torch.cat((own, obstacles, partners, prey, speeds), 2).flatten(2)

    def state(self, obs: Tensor, places: Tensor) -> Tensor:
        return obs.flatten(1)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        """Rings in which a predator touches a prey."""
        return Marks(rings=[(place, self._touch) for place in places[-self.settings.n_prey :]])
