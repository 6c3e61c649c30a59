"""Whole episodes, all games of an environment side by side, driven from this process."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from cohort.components.episodes import Episodes
from cohort.controllers.shared import SharedController
from cohort.envs.base import MultiAgentEnv, Observation, Transition
from cohort.settings import NoSettings

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
        record = _Record(observation)
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
    """The episodes being played, one entry per step; what an environment hands out never changes again."""

    def __init__(self, first: Observation) -> None:
        games, device = len(first.obs), first.obs.device
        self.seen, self.actions, self.transitions = [first], [], []
        self.length = torch.zeros(games, dtype=torch.int64, device=device)
        self.playing = torch.ones(games, dtype=torch.bool, device=device)

    @property
    def finished(self) -> bool:
        return not bool(self.playing.any())

    def add(self, actions: torch.Tensor, transition: Transition) -> None:
        self.actions.append(actions)
        self.transitions.append(transition)
        self.seen.append(transition.observation)
        self.length += self.playing
        self.playing &= ~(transition.terminated | transition.truncated)

    def episodes(self) -> Episodes:
        """What was played, with zeros where a game had already ended."""
        steps = torch.arange(len(self.seen), device=self.length.device)
        after = steps > self.length[:, None]  # [B, T+1]: no observation was made there
        idle = (steps >= self.length[:, None])[:, :-1]  # [B, T]: nothing was done there

        def emptied(values: Iterable[torch.Tensor], where: torch.Tensor) -> torch.Tensor:
            """[B, ...] of every step -> [B, T(+1), ...], zero `where` [B, T(+1)] a game was over."""
            values = torch.stack(list(values), dim=1)
            return values.masked_fill_(where.view(*where.shape, *[1] * (values.dim() - 2)), 0)

        return Episodes(
            obs=emptied((each.obs for each in self.seen), after),
            state=emptied((each.state for each in self.seen), after),
            available_actions=emptied((each.available_actions for each in self.seen), after),
            actions=emptied(self.actions, idle),
            reward=emptied((each.reward for each in self.transitions), idle),
            terminated=emptied((each.terminated for each in self.transitions), idle),
            length=self.length,
            info={name: value.to(torch.float32) for name, value in self.transitions[-1].info.items()},
        )
