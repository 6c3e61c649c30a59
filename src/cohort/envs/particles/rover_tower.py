"""Rover-Tower: rovers that do not see where they shall go, and towers that see it and can only talk."""

from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.pushing import PushingEnv, PushingSettings
from cohort.envs.particles.world import Dynamics, accelerate

_DYNAMICS = Dynamics()
_FORCE = (
    1.5 * 1.5
)  # the environment multiplies by the acceleration 1.5 when an action is set and when it is applied
_SPEED = 1.0  # the greatest
_ARRIVED = 10.0  # paid for a step that ends near the goal
_NEAR = 1.5 * (0.075 + 0.04)  # which the environment compares with the distance squared


class RoverTowerSettings(PushingSettings):
    n_pairs: int = Field(ge=1, description="rovers, and towers")
    n_landmarks: int = Field(ge=1, description="landmarks, one of which is each tower's goal")


class Scene(NamedTuple):
    agents: Tensor  # [B, 2P, 2] rovers, then towers
    landmarks: Tensor  # [B, L, 2]
    velocities: Tensor  # [B, P, 2] of the rovers
    pairing: Tensor  # [B, P, P] 1 where a rover (row) has a tower (column)
    goals: Tensor  # [B, P, 2] where each tower wants its rover
    messages: Tensor  # [B, P, A] what each tower has said last, one-hot; zeros at first


class RoverTower(PushingEnv):
    """P rovers, P towers and L landmarks (MAAC, arXiv:1810.02912, as its authors' code has it).

    Every episode pairs rovers and towers anew. A tower sees its rover and one landmark, its goal; its action is a
    message, which its rover sees at the next moment. A rover's actions: 0 nothing, 1 +x, 2 -x, 3 +y, 4 -y. Nothing
    collides. Both of a pair earn -d^2, and 10 more while d^2 < 0.1725; d: from the rover to the goal, after the move.

    Observation of a rover: which tower is its own, that tower's message, own place, own velocity. Of a tower: which
    rover is its own, that rover's place, the goal, then zeros.
    """

    Settings = RoverTowerSettings
    Scene = Scene
    title = "rover-tower"
    pushes = ((0.0, 0.0), (_FORCE, 0.0), (-_FORCE, 0.0), (0.0, _FORCE), (0.0, -_FORCE))

    def __init__(self, settings: RoverTowerSettings, **options: Any) -> None:
        """Prepare the games; `options` are those of `ParticleEnv`."""
        super().__init__(settings, **options)
        actions, pairs = len(self.pushes), settings.n_pairs
        self._limits = torch.full((pairs,), _SPEED, device=self.device)
        self._words = torch.eye(actions, device=self.device)
        self._blank = torch.zeros((self.batch_size, pairs, actions), device=self.device)

    def bodies(self) -> tuple[Body, ...]:
        agents = (Body("agent") for _ in range(2 * self.settings.n_pairs))
        return *agents, *(Body("landmark") for _ in range(self.settings.n_landmarks))

    def seen(self) -> int:
        return self.settings.n_pairs + len(self.pushes) + 4

    def start(self) -> Scene:
        pairs, games, generator = self.settings.n_pairs, self.batch_size, self.generator
        agents, landmarks = self.scatter(2 * pairs), self.scatter(self.settings.n_landmarks)
        ranks = torch.rand((games, pairs), generator=generator, device=self.device)
        wanted = torch.randint(
            self.settings.n_landmarks, (games, pairs), generator=generator, device=self.device
        )
        return Scene(
            agents,
            landmarks,
            velocities=torch.zeros_like(agents[:, :pairs]),
            pairing=one_hot(ranks.argsort(1), pairs).float(),
            goals=landmarks.gather(1, wanted.unsqueeze(-1).expand(-1, -1, 2)),
            messages=torch.zeros((games, pairs, len(self.pushes)), device=self.device),
        )

    def positions(self, scene: Scene) -> Tensor:
        return torch.cat((scene.agents, scene.landmarks), 1)

    def advance(self, scene: Scene, actions: Tensor) -> Scene:
        pairs = self.settings.n_pairs
        rovers, velocities = accelerate(
            scene.agents[:, :pairs],
            scene.velocities,
            self._pushes[actions[:, :pairs]],
            _DYNAMICS,
            max_speed=self._limits,
        )
        return scene._replace(
            agents=torch.cat((rovers, scene.agents[:, pairs:]), 1),
            velocities=velocities,
            messages=self._words[actions[:, pairs:]],
        )

    def earned(self, scene: Scene) -> Tensor:
        apart = scene.agents[:, : self.settings.n_pairs] - torch.bmm(scene.pairing, scene.goals)
        squared = apart.square().sum(2)  # [B, P]
        rovers = _ARRIVED * (squared < _NEAR) - squared
        towers = torch.bmm(rovers.unsqueeze(1), scene.pairing).squeeze(1)
        return torch.cat((rovers, towers), 1)

    def observe(self, scene: Scene, places: Tensor) -> Tensor:
        rovers, pairing = scene.agents[:, : self.settings.n_pairs], scene.pairing
        heard, back = torch.bmm(pairing, scene.messages), pairing.mT
        by_rovers = torch.cat((pairing, heard, rovers, scene.velocities), 2)
        by_towers = torch.cat((back, torch.bmm(back, rovers), scene.goals, self._blank), 2)
        return torch.cat((by_rovers, by_towers), 1)

    def marks(self, places: np.ndarray, game: int) -> Marks:
        """Lines from every rover to its tower and its goal, and rings within which it has arrived."""
        pairs = self.settings.n_pairs
        tower_of = self.scene.pairing[game].argmax(1).tolist()
        goals = self.scene.goals[game].cpu().numpy()[tower_of]
        lines = [
            (places[i], place) for i in range(pairs) for place in (places[pairs + tower_of[i]], goals[i])
        ]
        return Marks(lines=lines, rings=[(goal, _NEAR**0.5) for goal in goals])
