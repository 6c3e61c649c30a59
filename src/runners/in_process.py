"""Whole episodes, all games of an environment side by side, driven from this process."""

from collections.abc import Callable
from typing import Any

import torch

from src.components.episodes import Episodes
from src.controllers.shared import SharedController
from src.envs.base import MultiAgentEnv, Observation, Transition
from src.settings import NoSettings

HOPELESS_ROUNDS = (
    10  # rounds in a row without a single whole episode, after which something is broken for good
)


class InProcessRunner:
    """Plays episodes in an environment's B games, all at once.

    A game that broke off for a reason of its own (`Transition.spoiled`) is thrown away, never learned from.
    """

    Settings = NoSettings

    def __init__(
        self,
        settings: NoSettings,
        *,
        env: MultiAgentEnv,
        controller: SharedController,
        generator: torch.Generator,
        episodes: int | None = None,
    ) -> None:
        """`generator`, on the controller's device, drives the exploration; `episodes` (B) is what a run returns."""
        self.env, self.controller, self.generator = env, controller, generator
        self.episodes = episodes or env.batch_size

    @torch.no_grad()
    def run(self, *, t_env: int, explore: bool, watch: Callable[[], None] | None = None) -> Episodes:
        """Exactly `episodes` episodes of the policy of this moment, in as many rounds of B games as that takes.

        Args:
            t_env: places the policy on its exploration schedule.
            explore: whether it explores.
            watch: called at the start and after every step of each round.

        Raises:
            RuntimeError: again and again, not one game came to its end.
        """
        parts: list[Episodes] = []
        missing, hopeless = self.episodes, 0
        while missing:
            whole = self._round(t_env, explore, watch).rows(slice(missing))
            missing -= whole.batch_size
            parts.append(whole)
            hopeless = 0 if whole.batch_size else hopeless + 1
            if hopeless == HOPELESS_ROUNDS:
                raise RuntimeError(
                    f"{HOPELESS_ROUNDS} rounds of {self.env.batch_size} games brought not one whole episode: "
                    "the games break off every time"
                )
        return Episodes.concatenated([part for part in parts if part.batch_size])

    def _round(self, t_env: int, explore: bool, watch: Callable[[], None] | None) -> Episodes:
        """One episode in every game, less those that broke off."""
        generator = self.generator if explore else None
        observation = self.env.reset()
        memory = self.controller.initial_memory(self.env.batch_size)
        record = _Record(self.env, observation)
        if watch:
            watch()
        while not record.finished:
            actions, memory = self.controller.act(observation, memory, t_env, generator)
            transition = self.env.step(actions)
            record.add(actions, transition)
            observation = transition.observation
            if watch:
                watch()
        episodes = record.episodes()
        return episodes if transition.spoiled is None else episodes.rows(~transition.spoiled)

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
        if spec.action_dim:
            self.actions = empty(steps, spec.n_agents, spec.action_dim, dtype=torch.float32)
        else:
            self.actions = empty(steps, spec.n_agents, dtype=torch.int64)
        own_rewards = () if spec.common_reward else (spec.n_agents,)
        self.reward = empty(steps, *own_rewards, dtype=torch.float32)
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

        def emptied(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
            """`values` of the steps that were played, zero `where` [B, T(+1)] a game was over."""
            return values[:, : where.shape[1]].masked_fill_(
                where.view(*where.shape, *[1] * (values.dim() - 2)), 0
            )

        return Episodes(
            obs=emptied(self.obs, after),
            state=emptied(self.state, after),
            available_actions=emptied(self.available, after),
            actions=emptied(self.actions, idle),
            reward=emptied(self.reward, idle),
            terminated=emptied(self.terminated, idle),
            length=self.length,
            info={name: value.to(torch.float32) for name, value in self.info.items()},
        )
