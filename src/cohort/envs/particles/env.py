"""What all particle worlds share: their games' time, sight, end and state. A scenario states the rest."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.envs.particles.bodies import Body, Marks
from cohort.envs.particles.world import glide, relative_map, scatter
from cohort.settings import Settings

if TYPE_CHECKING:
    from cohort.envs.particles.render import Renderer


class ParticleSettings(Settings):
    """Keys of every particle world; their values are in the environments' YAML files."""

    world_size: float = Field(gt=0, description="W: episodes start uniformly in the square [-W, W]^2")
    episode_limit: int = Field(ge=1, description="steps after which an episode is cut")


class GlidingSettings(ParticleSettings):
    """Keys of the worlds in which an action is a velocity."""

    v_step: float = Field(
        gt=0, description="how far an agent moves in one step under an action of 1, per axis"
    )


class ParticleEnv:
    """B games of points on a plane. All begin with `reset` and are cut together at the episode limit.

    A scenario is a subclass with `Settings`, `bodies`, `start` and `reward`; where its rules differ, it overrides
    `advance`, `positions`, `observe`, `state`, `facts` or `marks` too. A scene, what a scenario's games remember, is a
    named tuple of [B, ...] tensors that `advance` replaces and never writes to.

    Observation of agent i: the positions of all other entities relative to its own, in the order of `bodies`.
    State: the absolute positions of all entities in that order, for training only. Actions: velocities in [-1, 1]^2;
    what lies outside is cut.
    """

    Settings: type[ParticleSettings] = ParticleSettings
    Scene: type  # the scenario's named tuple
    title: str  # in pictures
    arena: float | None = None  # half the side of the square that nobody leaves

    def __init__(
        self,
        settings: ParticleSettings,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare `batch_size` (B) games; `seed` decides all their starts."""
        self.settings, self.batch_size, self.device = settings, batch_size, torch.device(device)
        self.cast = self.bodies()
        self.n_agents = sum(body.kind == "agent" for body in self.cast)
        self.spec = self.facts()
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.scene: Any = None
        self.t = 0  # steps of this episode, the same in every game
        self._relative = relative_map(self.n_agents, len(self.cast)).to(self.device)
        everybody = (batch_size, self.n_agents)
        self._available = torch.ones((*everybody, self.spec.n_actions), dtype=torch.bool, device=self.device)
        self._no, self._yes = (
            torch.full((batch_size,), value, dtype=torch.bool, device=self.device) for value in (False, True)
        )
        paid = batch_size if self.spec.common_reward else everybody
        self._nothing = torch.zeros(paid, device=self.device)
        self.paid = self._nothing  # the last reward

    def bodies(self) -> tuple[Body, ...]:
        """All entities, agents first, in the order of `positions`."""
        raise NotImplementedError

    def start(self) -> Any:
        """The scene of a new episode."""
        raise NotImplementedError

    def reward(self, scene: Any) -> Tensor:
        """[B] (or [B, N] where agents have rewards of their own) after the move.

        `self.observation` is already that of `scene`: distances may be read off it.
        """
        raise NotImplementedError

    def advance(self, scene: Any, actions: Tensor) -> Any:
        """The scene one step later; by default agents glide, as `GlidingSettings` say."""
        agents = glide(scene.agents, actions, self.settings.v_step, self.arena)
        return self.Scene(agents, *scene[1:])

    def positions(self, scene: Any) -> Tensor:
        """[B, E, 2]: by default a scene is nothing but positions, agents first."""
        return torch.cat(scene, 1) if len(scene) > 1 else scene[0]

    def observe(self, scene: Any, places: Tensor) -> Tensor:
        """[B, N, O] what each agent sees; `places` [B, 2E] are the positions in a row."""
        return torch.mm(places, self._relative).view(self.batch_size, self.n_agents, -1)

    def state(self, obs: Tensor, places: Tensor) -> Tensor:
        """[B, S] of observations [B, N, O] and positions [B, 2E]; by default the positions."""
        return places

    def facts(self) -> EnvSpec:
        """The facts of this environment."""
        return EnvSpec(
            n_agents=self.n_agents,
            n_actions=0,
            obs_dim=2 * (len(self.cast) - 1),
            state_dim=2 * len(self.cast),
            episode_limit=self.settings.episode_limit,
            action_dim=2,
        )

    def marks(self, places: np.ndarray, game: int) -> Marks:
        """What a picture of one game, its entities at `places` [E, 2], shows beside them."""
        return Marks()

    def scatter(self, entities: int) -> Tensor:
        """[B, entities, 2] random places in the starting square."""
        size = self.settings.world_size
        return scatter(self.batch_size, entities, size, self.generator, self.device)

    def reset(self) -> Observation:
        """Begin a new episode in every game."""
        self.scene, self.t, self.paid = self.start(), 0, self._nothing
        self.observation = self._look()
        return self.observation

    def step(self, actions: Tensor) -> Transition:
        """Advance every game by one step; `actions` is [B, N, 2] float32."""
        if self.scene is None:
            raise RuntimeError("call reset() before the first step()")
        if self.t >= self.spec.episode_limit:
            return Transition(self.observation, self._nothing, self._no, self._yes, {})
        self.scene = self.advance(self.scene, actions.detach())
        self.t += 1
        self.observation = self._look()
        self.paid = self.reward(self.scene)
        ended = self._yes if self.t >= self.spec.episode_limit else self._no
        return Transition(self.observation, self.paid, self._no, ended, {})

    def _look(self) -> Observation:
        places = self.positions(self.scene).flatten(1)
        obs = self.observe(self.scene, places)
        return Observation(obs, self.state(obs, places), self._available)

    def state_dict(self) -> dict[str, Any]:
        """All that decides what the games do next."""
        scene = {} if self.scene is None else self.scene._asdict()
        return {
            "batch_size": self.batch_size,
            "generator": self.generator.get_state(),
            "begun": self.scene is not None,
            "t": self.t,
            **{name: tensor.clone() for name, tensor in scene.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`, bit for bit.

        Raises:
            ValueError: the state is of another number of games.
        """
        refuse_other_games(state["batch_size"], self.batch_size)
        self.generator.set_state(state["generator"])
        self.t, self.scene = state["t"], None
        if state["begun"]:
            fields = self.Scene._fields
            self.scene = self.Scene(*(state[name].to(self.device, copy=True) for name in fields))
            self.observation = self._look()

    def renderer(self, agent: int | None = None) -> "Renderer":
        """Draws the first game from here on; see `Renderer`, whose libraries only those who watch load."""
        from cohort.envs.particles.render import Renderer

        return Renderer(self, agent=agent)
