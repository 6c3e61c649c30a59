"""Whole episodes from environments that live in this process."""

from typing import Any

import torch

from src.components.episodes import Episodes
from src.controllers.shared import SharedController
from src.envs.base import MultiAgentEnv, Observation, Transition
from src.settings import NoSettings


class InProcessRunner:
    """Plays one episode in each of an environment's B games, all at once."""

    Settings = NoSettings

    def __init__(
        self,
        settings: NoSettings,
        *,
        env: MultiAgentEnv,
        controller: SharedController,
        generator: torch.Generator,
    ) -> None:
        """`generator`, on the controller's device, drives the exploration."""
        self.env, self.controller, self.generator = env, controller, generator

    @torch.no_grad()
    def run(self, *, t_env: int, explore: bool) -> Episodes:
        """B episodes of the policy of this moment. `t_env` places it on the exploration schedule."""
        generator = self.generator if explore else None
        observation = self.env.reset()
        memory = self.controller.initial_memory(self.env.batch_size)
        record = _Record(self.env, observation)
        while not record.finished:
            actions, memory = self.controller.act(observation, memory, t_env, generator)
            transition = self.env.step(actions)
            record.add(actions, transition)
            observation = transition.observation
        return record.episodes()

    def exploration(self, t_env: int) -> dict[str, float]:
        """Where the policy stands on its exploration schedule, to be logged."""
        return self.controller.action_selector.metrics(t_env)

    def state_dict(self) -> dict[str, Any]:
        return {"env": self.env.state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env.load_state_dict(state["env"])
        self.generator.set_state(state["generator"])


class _Record:
    """The episodes being played: tensors as long as the limit allows, cut to what was played at the end."""

    def __init__(self, env: MultiAgentEnv, first: Observation) -> None:
        spec, games = env.spec, env.batch_size
        device = first.obs.device
        steps = spec.episode_limit

        def empty(*shape: int, dtype: torch.dtype) -> torch.Tensor:
            return torch.empty((games, *shape), dtype=dtype, device=device)

        self.obs = empty(steps + 1, spec.n_agents, spec.obs_dim, dtype=torch.float32)
        self.state = empty(steps + 1, spec.state_dim, dtype=torch.float32)
        self.available = empty(steps + 1, spec.n_agents, spec.n_actions, dtype=torch.bool)
        self.actions = empty(steps, spec.n_agents, dtype=torch.int64)
        self.reward = empty(steps, dtype=torch.float32)
        self.terminated = empty(steps, dtype=torch.bool)
        self.length = torch.zeros(games, dtype=torch.int64, device=device)
        self.playing = torch.ones(games, dtype=torch.bool, device=device)
        self.info: dict[str, torch.Tensor] = {}
        self.steps = 0
        self._observe(first)

    @property
    def finished(self) -> bool:
        return not bool(self.playing.any())

    def add(self, actions: torch.Tensor, transition: Transition) -> None:
        self.actions[:, self.steps] = actions
        self.reward[:, self.steps] = transition.reward
        self.terminated[:, self.steps] = transition.terminated
        self.length += self.playing
        self.playing &= ~(transition.terminated | transition.truncated)
        self.info = transition.info
        self.steps += 1
        self._observe(transition.observation)

    def _observe(self, observation: Observation) -> None:
        self.obs[:, self.steps] = observation.obs
        self.state[:, self.steps] = observation.state
        self.available[:, self.steps] = observation.available_actions

    def episodes(self) -> Episodes:
        """What was played, with zeros where a game had already ended."""
        steps = torch.arange(self.steps + 1, device=self.length.device)
        after = steps > self.length[:, None]  # [B, T+1]: no observation was made there
        idle = (steps >= self.length[:, None])[:, :-1]  # [B, T]: nothing was done there
        return Episodes(
            obs=self.obs[:, : self.steps + 1].masked_fill_(after[..., None, None], 0.0),
            state=self.state[:, : self.steps + 1].masked_fill_(after[..., None], 0.0),
            available_actions=self.available[:, : self.steps + 1].masked_fill_(after[..., None, None], False),
            actions=self.actions[:, : self.steps].masked_fill_(idle[..., None], 0),
            reward=self.reward[:, : self.steps].masked_fill_(idle, 0.0),
            terminated=self.terminated[:, : self.steps].masked_fill_(idle, False),
            length=self.length,
            info={name: value.to(torch.float32) for name, value in self.info.items()},
        )
