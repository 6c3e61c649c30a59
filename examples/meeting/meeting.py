"""A team that has to meet: an environment from outside the tree."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from cohort.components.seeding import generator
from cohort.envs.base import EnvSpec, Observation, Transition
from cohort.settings import Settings

STAY = 1  # between 0, left, and 2, right


class MeetingSettings(Settings):
    """Settings of `Meeting`."""

    n_agents: int = Field(2, ge=2, description="How many have to meet.")
    length: int = Field(7, ge=2, description="Cells of the corridor.")
    episode_limit: int = Field(12, ge=1, description="Steps until an episode is cut.")


class Meeting:
    """B corridors in which a team starts at random places and has to end up in one cell.

    Every agent sees its own place and how many stand to its left and to its right. Each step costs 0.1; the episode
    ends with a reward of 1 once all are in one cell. The limit truncates: time is no part of the task.
    """

    Settings = MeetingSettings

    def __init__(
        self, settings: MeetingSettings, *, batch_size: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """Prepare B games; `reset` begins them. `seed` decides where the agents start."""
        self.settings, self.batch_size = settings, batch_size
        n, length = settings.n_agents, settings.length
        self.spec = EnvSpec(
            n_agents=n,
            n_actions=3,
            obs_dim=length + 2,
            state_dim=n * length,
            episode_limit=settings.episode_limit,
            info_keys=("met",),
        )
        self.generator = generator(seed, "meeting", device)
        self.place = torch.zeros(batch_size, n, dtype=torch.int64, device=device)  # [B, N]
        self.t = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self.met = torch.zeros(batch_size, dtype=torch.bool, device=device)

    def reset(self) -> Observation:
        """Begin a new episode in every game."""
        shape, device = self.place.shape, self.place.device
        self.place = torch.randint(self.settings.length, shape, generator=self.generator, device=device)
        apart = (self.place[:, 0] + 1) % self.settings.length
        self.place[:, 1] = torch.where(self._together(), apart, self.place[:, 1])  # nobody has met yet
        self.t, self.met = torch.zeros_like(self.t), torch.zeros_like(self.met)
        return self._observe()

    def step(self, actions: Tensor) -> Transition:
        """Move everybody by one cell; `actions` is [B, N]."""
        ongoing = ~self.met & (self.t < self.spec.episode_limit)
        moved = (self.place + actions - STAY).clamp(0, self.settings.length - 1)
        self.place = torch.where(ongoing.unsqueeze(1), moved, self.place)
        self.t = self.t + ongoing
        newly = ongoing & self._together()
        self.met = self.met | newly
        truncated = ~self.met & (self.t >= self.spec.episode_limit)
        return Transition(
            self._observe(), newly.float() - 0.1 * ongoing, self.met, truncated, {"met": self.met}
        )

    def _together(self) -> Tensor:
        return (self.place == self.place[:, :1]).all(1)

    def _observe(self) -> Observation:
        cell = F.one_hot(self.place, self.settings.length).float()  # [B, N, L]
        gap = self.place.unsqueeze(1) - self.place.unsqueeze(2)  # [B, N, N] from each agent to each other
        sides = torch.stack(((gap < 0).sum(2), (gap > 0).sum(2)), 2) / self.spec.n_agents
        available = torch.ones(*self.place.shape, self.spec.n_actions, dtype=torch.bool, device=cell.device)
        return Observation(torch.cat((cell, sides), 2), cell.flatten(1), available)

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what the games do next."""
        return {"place": self.place, "t": self.t, "met": self.met, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`, bit for bit."""
        if state["place"].shape != self.place.shape:
            raise ValueError(f"the saved state is of {len(state['place'])} games, here are {self.batch_size}")
        self.place, self.t, self.met = (
            state[name].to(self.place.device, copy=True) for name in ("place", "t", "met")
        )
        self.generator.set_state(state["generator"])
