"""One recurrent network for all agents: PyMARL's `basic_mac`."""

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.episodes import Episodes
from cohort.controllers.epsilon_greedy import EpsilonGreedy
from cohort.envs.base import EnvSpec, Observation
from cohort.settings import Settings


class SharedControllerSettings(Settings):
    obs_last_action: bool = Field(description="each agent sees its own previous action")
    obs_agent_id: bool = Field(description="each agent sees which agent it is")


class Memory(NamedTuple):
    """What the team carries from one step to the next."""

    hidden: Tensor | None  # [B N, H]; None before the first step, and where the network has none
    last_actions: Tensor  # [B, N] int64, -1 before the first step


class SharedController(nn.Module):
    """Acts step by step while collecting and unrolls whole sequences while learning, with the same weights."""

    Settings = SharedControllerSettings

    policy = "utilities"
    weights = "shared"

    def __init__(
        self, settings: SharedControllerSettings, *, spec: EnvSpec, agent, action_selector: EpsilonGreedy
    ) -> None:
        """`agent(input_dim=, output_dim=)` makes the network once its sizes are known."""
        super().__init__()
        if spec.action_dim:
            raise ValueError(
                "mac=basic_mac chooses among discrete actions, and this environment's are continuous: "
                "choose an algorithm for continuous actions, or another environment"
            )
        self.settings, self.spec, self.action_selector = settings, spec, action_selector
        self.input_dim = (
            spec.obs_dim + spec.n_actions * settings.obs_last_action + spec.n_agents * settings.obs_agent_id
        )
        self.agent = agent(input_dim=self.input_dim, output_dim=spec.n_actions)
        self.register_buffer("agent_ids", torch.eye(spec.n_agents), persistent=False)
        # one row for each action, and a row of zeros where there was none
        self.register_buffer("action_codes", F.pad(torch.eye(spec.n_actions), (0, 0, 1, 0)), persistent=False)

    def initial_memory(self, batch_size: int) -> Memory:
        shape = (batch_size, self.spec.n_agents)
        return Memory(None, torch.full(shape, -1, device=self.agent_ids.device))

    @torch.inference_mode()
    def act(
        self, observation: Observation, memory: Memory, t_env: int, generator: torch.Generator | None
    ) -> tuple[Tensor, Memory]:
        """Actions [B, N] for one step, exploring with `generator`'s randomness or, without one, greedily."""
        inputs = self._inputs(observation.obs, memory.last_actions)
        utilities, hidden = self.agent.step(inputs, memory.hidden)
        actions = self.action_selector.select(utilities, observation.available_actions, t_env, generator)
        return actions, Memory(hidden, actions)

    def inputs(self, episodes: Episodes) -> Tensor:
        """What the agents' networks read: [B, T+1, N, I]. Made once, unrolled by live and target networks."""
        return self._inputs(episodes.obs, episodes.last_actions)

    def unroll(self, inputs: Tensor, episodes: Episodes) -> Tensor:
        """Utilities of every step in one call: [B, T+1, N, I] -> [B, T+1, N, A]."""
        return self.agent(inputs, episodes.length + 1)

    def _inputs(self, obs: Tensor, last_actions: Tensor) -> Tensor:
        """[..., N, O], [..., N] -> [..., N, I]: observation, last action (zeros before the first), agent."""
        parts = [obs]
        if self.settings.obs_last_action:
            parts.append(F.embedding(last_actions + 1, self.action_codes))
        if self.settings.obs_agent_id:
            parts.append(self.agent_ids.expand(*obs.shape[:-1], -1))
        return torch.cat(parts, dim=-1)
