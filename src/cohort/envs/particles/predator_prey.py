"""Predator-prey: slow learned predators and one fast prey that flees by a rule."""

from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.env import GlidingSettings, ParticleEnv
from cohort.envs.particles.world import glide


class PredatorPreySettings(GlidingSettings):
    world_size: float = Field(gt=0, description="W: the arena is the square [-W, W]^2, start and border")
    n_agents: int = Field(ge=1, description="predators")
    rho: float = Field(gt=0, description="distance below which a predator collides with the prey")
    prey_speed: float = Field(ge=0, description="the prey's step in units of v_step, in any direction")
    prey_softening: float = Field(
        gt=0, description="added to the squared distance to a predator when fleeing it"
    )
    wall_push: float = Field(ge=0, description="how much walls weigh against predators when the prey flees")
    wall_margin: float = Field(
        gt=0, description="how far behind the arena's border its push would be infinite"
    )


class Scene(NamedTuple):
    agents: Tensor  # [B, N, 2]
    prey: Tensor  # [B, 1, 2]


class PredatorPrey(ParticleEnv):
    """N predators and one prey in a square arena; AdaMa's third scenario (section 4).

    r = number of predators with |p_i - q| < rho. Predators move first, then the prey at full speed.
    """

    Settings = PredatorPreySettings
    Scene = Scene
    title = "predator-prey"

    def __init__(self, settings: PredatorPreySettings, **options: Any) -> None:
        """Prepare the games; `options` are those of `ParticleEnv`."""
        super().__init__(settings, **options)
        self.arena = settings.world_size
        self._far = torch.tensor((self.arena + settings.wall_margin) ** 2, device=self.device)  # c^2
        self._soft = torch.tensor(settings.prey_softening, device=self.device)
        self._rho = torch.tensor(settings.rho, device=self.device)

    def bodies(self) -> tuple[Body, ...]:
        return *(Body("agent") for _ in range(self.settings.n_agents)), Body("prey")

    def start(self) -> Scene:
        return Scene(agents=self.scatter(self.n_agents), prey=self.scatter(1))

    def advance(self, scene: Scene, actions: Tensor) -> Scene:
        predators = glide(scene.agents, actions, self.settings.v_step, self.arena)
        return Scene(predators, self.flee(predators, scene.prey))

    def flee(self, predators: Tensor, prey: Tensor) -> Tensor:
        """Where the prey [B, 1, 2] goes: along the unit vector of

        f = sum_i (q - p_i) / (|q - p_i|^2 + prey_softening) - wall_push (1 / (c - q) - 1 / (c + q)),

        per axis, with c = W + wall_margin. The second term is 2 q / (c^2 - q^2).
        """
        settings = self.settings
        away = prey - predators  # [B, N, 2]
        distance = torch.linalg.vector_norm(away, dim=-1, keepdim=True)  # [B, N, 1]
        urge = (away / torch.addcmul(self._soft, distance, distance)).sum(1, keepdim=True)  # [B, 1, 2]
        gap = torch.addcmul(self._far, prey, prey, value=-1.0)
        urge = torch.addcdiv(urge, prey, gap, value=-2.0 * settings.wall_push)
        length = torch.linalg.vector_norm(urge, dim=-1, keepdim=True).clamp_min_(1e-12)
        fled = torch.addcdiv(prey, urge, length, value=settings.prey_speed * settings.v_step)
        return fled.clamp_(-self.arena, self.arena)

    def reward(self, scene: Scene) -> Tensor:
        distance = torch.linalg.vector_norm(scene.agents - scene.prey, dim=-1)  # [B, N]
        return (distance < self._rho).sum(1, dtype=torch.float32)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        return Marks(rings=[(places[-1], self.settings.rho)])
