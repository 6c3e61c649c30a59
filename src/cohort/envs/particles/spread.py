"""Spread: agents cover landmarks and keep out of each other's way, and how far each depends on the others."""

from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.pushing import PushingEnv, PushingSettings
from cohort.envs.particles.world import Dynamics, accelerate, contact_forces

_RADIUS = 0.15  # of an agent
_FORCE = 5.0
_MIXED = 3  # agents, of which the first and the last are a pair


class SpreadSettings(PushingSettings):
    n_agents: int = Field(ge=1, description="agents, and landmarks")
    interdependence: Literal["full", "mixed", "separate"] = Field(
        description="who covers landmarks together and collides: all; of three the first and the last; nobody"
    )
    self_collision: bool = Field(
        description="an agent is counted as colliding with itself, -1 a step, as the original environment has it; "
        "with interdependence: full"
    )
    updates_first: Literal["velocity", "position"] = Field(
        description="velocity: as the original environment; position: with the old velocity, as mpe2"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.interdependence == "mixed" and self.n_agents != _MIXED:
            raise ValueError(f"n_agents = {self.n_agents}: interdependence: mixed is for {_MIXED} agents")
        if self.interdependence != "full" and self.self_collision:
            raise ValueError(
                f"self_collision = True: with interdependence: {self.interdependence} no agent collides with itself"
            )
        return self


class Scene(NamedTuple):
    agents: Tensor  # [B, N, 2]
    landmarks: Tensor  # [B, N, 2]
    velocities: Tensor  # [B, N, 2]


class Spread(PushingEnv):
    """N agents and N landmarks on a plane without walls (arXiv:1706.02275; MAMT, ICLR 2022, appendix G.1).

    Actions: 0 nothing, 1 -x, 2 +x, 3 -y, 4 +y. Agents of a group cover their landmarks together and bump into each
    other. r_i = -sum over the group's landmarks of the distance to the group's nearest agent - collisions of i. With
    `interdependence: full` all are one group, which is the original game; mixed and separate are MAMT's Spread-3-Mix
    and Spread-3-Sep (appendix D).

    Observation of agent i: own velocity and place, landmarks, other agents (relative to itself), and two zeros for each
    other agent: what the others would say in the original's worlds with communication.
    """

    Settings = SpreadSettings
    Scene = Scene
    title = "spread"
    pushes = ((0.0, 0.0), (-_FORCE, 0.0), (_FORCE, 0.0), (0.0, -_FORCE), (0.0, _FORCE))

    def __init__(self, settings: SpreadSettings, **options: Any) -> None:
        """Prepare the games; `options` are those of `ParticleEnv`."""
        super().__init__(settings, **options)
        group = torch.tensor(groups(settings), device=self.device)  # [N], also of the landmarks
        together = group == group[:, None]  # [N, N]
        others = ~torch.eye(self.n_agents, dtype=torch.bool, device=self.device)
        self._dynamics = Dynamics(first=settings.updates_first)
        self._reach = torch.full(together.shape, 2 * _RADIUS, device=self.device)
        self._touching = together & others
        self._anybody_touches = bool(self._touching.any())
        self._counted = together & others if not settings.self_collision else together
        self._members = together.float()
        self._strangers = torch.zeros_like(self._members).masked_fill_(~together, torch.inf)
        self._sight = _sight(self.n_agents).to(self.device)

    def bodies(self) -> tuple[Body, ...]:
        count = range(self.settings.n_agents)
        if self.settings.interdependence == "separate":
            return *(Body("agent") for _ in count), *(Body("landmark", owner=i) for i in count)
        return *(Body("agent") for _ in count), *(Body("landmark") for _ in count)

    def seen(self) -> int:
        return 4 + 2 * self.n_agents + 4 * (self.n_agents - 1)

    def start(self) -> Scene:
        agents, landmarks = self.scatter(self.n_agents), self.scatter(self.n_agents)
        return Scene(agents, landmarks, torch.zeros_like(agents))

    def positions(self, scene: Scene) -> Tensor:
        return torch.cat((scene.agents, scene.landmarks), 1)

    def advance(self, scene: Scene, actions: Tensor) -> Scene:
        forces = self._pushes[actions]
        if self._anybody_touches:
            forces += contact_forces(scene.agents, self._reach, self._touching, self._dynamics)
        agents, velocities = accelerate(scene.agents, scene.velocities, forces, self._dynamics)
        return Scene(agents, scene.landmarks, velocities)

    def earned(self, scene: Scene) -> Tensor:
        distance = _distances(scene.agents, scene.landmarks)
        nearest = (distance + self._strangers).amin(1)  # [B, L] of the landmark's group
        touches = (_distances(scene.agents, scene.agents) < 2 * _RADIUS) & self._counted  # [B, N, N]
        return -(nearest @ self._members) - touches.sum(2)

    def observe(self, scene: Scene, places: Tensor) -> Tensor:
        everything = torch.cat((places, scene.velocities.flatten(1)), 1)
        return torch.mm(everything, self._sight).view(self.batch_size, self.n_agents, -1)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        """A line from every landmark to the agent that covers it."""
        agents, landmarks = places[: self.n_agents], places[self.n_agents :]
        distance = np.linalg.norm(agents[:, None] - landmarks, axis=-1) + self._strangers.cpu().numpy()
        return Marks(lines=list(zip(agents[distance.argmin(0)], landmarks, strict=True)))


def groups(settings: SpreadSettings) -> list[int]:
    """[N] which group each agent, and the landmark of the same number, belongs to."""
    if settings.interdependence == "full":
        return [0] * settings.n_agents
    if settings.interdependence == "mixed":
        return [0, 1, 0]
    return list(range(settings.n_agents))


def _distances(some: Tensor, others: Tensor) -> Tensor:
    """[B, N, M] between places [B, N, 2] and [B, M, 2]."""
    return torch.linalg.vector_norm(some.unsqueeze(2) - others.unsqueeze(1), dim=-1)


def _sight(n: int) -> Tensor:
    """[6N, N * O] what turns places (agents, landmarks) and velocities into all observations by one product.

    Every column has at most one 1 and one -1, so that each number is one exact subtraction, as in `relative_map`.
    """
    own = torch.eye(3 * n)
    agents, landmarks, velocities = own[:n], own[n : 2 * n], own[2 * n :]  # what stands in which row
    seen = []
    for i in range(n):
        others = torch.arange(n) != i
        silence = torch.zeros(n - 1, 3 * n)
        seen += [
            velocities[i : i + 1], agents[i : i + 1],
            landmarks - agents[i], agents[others] - agents[i], silence,
        ]  # fmt: skip
    return torch.kron(torch.cat(seen), torch.eye(2)).T.contiguous()
