"""The 2-agent HalfCheetah as an environment of B games."""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.seeding import generator
from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.envs.halfcheetah.game import N_AGENTS, HalfCheetahGame
from cohort.settings import Settings

Direction = Literal["right", "left"]
DIRECTIONS: dict[Direction, float] = {"right": 1.0, "left": -1.0}


class HalfCheetahDirSettings(Settings):
    direction: Direction = Field(description="where the robot is to run")
    reward_scale: float = Field(gt=0, description="what rewards are multiplied by for learning")
    episode_limit: int = Field(ge=1, description="steps of a match (the paper's horizon H)")


class HalfCheetahDir:
    """B robots side by side. Both agents see all joints; an episode is cut after `episode_limit` steps, never ended."""

    Settings = HalfCheetahDirSettings
    provides = (
        "chains",
        "directions",
    )  # its `game` is one that chains are played in; `game_towards` turns it round

    def __init__(
        self,
        settings: HalfCheetahDirSettings,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """`seed` decides where episodes begin. Raises `UserError` where a package is missing."""
        self.settings = settings
        self.game = self.game_towards(settings.direction)
        self.batch_size, self.device = batch_size, device
        self.spec = EnvSpec(
            n_agents=N_AGENTS,
            n_actions=0,
            obs_dim=self.game.n_inputs,
            state_dim=self.game.n_inputs,
            episode_limit=settings.episode_limit,
            action_dim=self.game.action_dim,
        )
        self.starts = generator(seed, "halfcheetah/starts")
        self.time = 0
        self.reset()

    def game_towards(self, direction: Direction) -> HalfCheetahGame:
        """The game of these settings with robots of its own, to run in one direction or the other."""
        return HalfCheetahGame(DIRECTIONS[direction], self.settings.reward_scale)

    def reset(self) -> Observation:
        self.time = 0
        start = self.game.chance((self.batch_size,), 0, self.starts)
        self.game.robots.place(start.double().numpy())
        return self._observe()

    def step(self, actions: Tensor) -> Transition:
        """`actions` is [B, N, U]."""
        reward = torch.zeros(self.batch_size, device=self.device)
        if self.time < self.spec.episode_limit:
            reward = self.game.act(actions).to(reward)
            self.time += 1
        cut = torch.full((self.batch_size,), self.time >= self.spec.episode_limit, device=self.device)
        return Transition(self._observe(), reward, torch.zeros_like(cut), cut, {})

    def _observe(self) -> Observation:
        state = torch.from_numpy(self.game.robots.seen()).to(self.device, torch.float32)
        available = torch.ones(self.batch_size, N_AGENTS, 0, dtype=torch.bool, device=self.device)
        return Observation(state.unsqueeze(1).expand(-1, N_AGENTS, -1), state, available)

    def state_dict(self) -> dict[str, Any]:
        return {
            "robots": torch.from_numpy(self.game.robots.state()),
            "time": self.time,
            "starts": self.starts.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        refuse_other_games(len(state["robots"]), self.batch_size)
        self.game.robots.restore(state["robots"].numpy())
        self.time = state["time"]
        self.starts.set_state(state["starts"])
