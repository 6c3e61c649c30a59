"""Whole episodes, all games of an environment side by side, driven from this process."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from cohort.components.episodes import PADDING, Episodes
from cohort.components.state import restore, state_of
from cohort.controllers.team_policy import TeamPolicy
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
        policy: TeamPolicy,
        generator: torch.Generator,
        episodes: int | None = None,
    ) -> None:
        """`generator`, on the policy's device, is what the policy draws from; `episodes` (B) is what a run returns."""
        self.env, self.policy, self.generator = env, policy, generator
        self.episodes = episodes or env.batch_size
        self._hopeless = 0  # rounds in a row that brought not one whole episode

    def run(self, *, t_env: int, explore: bool, watch: Callable[[], None] | None = None) -> Episodes:
        """Exactly `episodes` episodes of the policy of this moment, in as many rounds of B games as that takes.

        Args:
            t_env: places the policy on its exploration schedule.
            explore: whether it explores, or plays as it is tested.
            watch: called at the start and after every step of each round.

        Raises:
            RuntimeError: again and again, not one game came to its end.
        """
        parts: list[Episodes] = []
        missing = self.episodes
        while missing:
            *_, record = self._play(t_env, explore, watch)
            whole = self._whole(record).rows(slice(missing))
            missing -= whole.batch_size
            parts.append(whole)
        return Episodes.concatenated([part for part in parts if part.batch_size])

    def stretches(self, *, t_env: int, steps: int) -> Iterator[tuple[Episodes, Episodes | None]]:
        """One exploring episode in every game, a stretch of at most `steps` steps at a time.

        The policy may learn in between: each step is taken by the policy of its moment. A stretch holds the games that
        were still going; its last step is neither terminated nor truncated where the game goes on.

        Yields each stretch and, with the last one, the whole episodes, for statistics; None before.

        Raises:
            RuntimeError: as `run`.
        """
        begin, played = 0, 0
        for record in self._play(t_env, explore=True, watch=None):
            if record.steps - begin == steps or record.finished:
                stretch = record.episodes(begin)
                played += int(stretch.length.sum())
                begin = record.steps
                yield stretch, self._whole(record) if record.finished else None
                record.t_env = t_env + played

    def _whole(self, record: "_Record") -> Episodes:
        """The episodes of a finished round, less those of games that broke off."""
        whole = record.whole()
        self._hopeless = 0 if whole.batch_size else self._hopeless + 1
        if self._hopeless == HOPELESS_ROUNDS:
            raise RuntimeError(
                f"{HOPELESS_ROUNDS} rounds of {self.env.batch_size} games brought not one whole episode: "
                "the games break off every time"
            )
        return whole

    def _play(self, t_env: int, explore: bool, watch: Callable[[], None] | None) -> Iterator["_Record"]:
        """One episode in every game; the growing record after each step."""
        observation = self.env.reset()
        memory = self.policy.initial_memory(self.env.batch_size)
        record = _Record(observation, t_env)
        if watch:
            watch()
        while not record.finished:
            with torch.inference_mode():
                actions, memory, extras = self.policy.act(
                    observation, memory, record.t_env, self.generator, explore
                )
                transition = self.env.step(actions)
            record.add(actions, extras, transition)
            observation = transition.observation
            if watch:
                watch()
            yield record

    def exploration(self, t_env: int) -> dict[str, float]:
        """Where the policy stands on its exploration schedule, to be logged."""
        return self.policy.action_selector.metrics(t_env)

    def state_dict(self) -> dict[str, Any]:
        return state_of({"env": self.env, "generator": self.generator})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore({"env": self.env, "generator": self.generator}, state)


class _Record:
    """The episodes being played, one entry per step; what an environment hands out never changes again."""

    def __init__(self, first: Observation, t_env: int) -> None:
        games, device = len(first.obs), first.obs.device
        self.t_env = t_env  # where the policy is on its exploration schedule
        self.seen, self.actions, self.extras, self.transitions = [first], [], [], []
        self.length = torch.zeros(games, dtype=torch.int64, device=device)
        self.playing = torch.ones(games, dtype=torch.bool, device=device)

    @property
    def steps(self) -> int:
        return len(self.actions)

    @property
    def finished(self) -> bool:
        return not bool(self.playing.any())

    def add(self, actions: torch.Tensor, extras: dict[str, torch.Tensor], transition: Transition) -> None:
        self.actions.append(actions)
        self.extras.append(extras)
        self.transitions.append(transition)
        self.seen.append(transition.observation)
        self.length += self.playing
        self.playing &= ~(transition.terminated | transition.truncated)

    def whole(self) -> Episodes:
        """All episodes but those of games that broke off."""
        spoiled = self.transitions[-1].spoiled
        return self._since(0, self.length) if spoiled is None else self._since(0, self.length).rows(~spoiled)

    def episodes(self, begin: int) -> Episodes:
        """What was played from step `begin` on; the step at which a game broke off is no part of it."""
        spoiled = self.transitions[-1].spoiled
        length = self.length if spoiled is None else self.length - spoiled.long()
        length = (length - begin).clamp(min=0)
        return self._since(begin, length).rows(length > 0)

    def _since(self, begin: int, length: torch.Tensor) -> Episodes:
        """The steps from `begin` on, padded where a game had already ended."""
        seen, transitions = self.seen[begin:], self.transitions[begin:]
        steps = torch.arange(len(seen), device=length.device)
        after = steps > length[:, None]  # [B, T+1]: no observation was made there
        idle = (steps >= length[:, None])[:, :-1]  # [B, T]: nothing was done there

        def stacked(values: Iterable[torch.Tensor], where: torch.Tensor, padding: int = 0) -> torch.Tensor:
            """[B, ...] of every step -> [B, T(+1), ...], `padding` `where` [B, T(+1)] a game was over."""
            return padded(torch.stack(list(values), dim=1), where, padding)

        return Episodes(
            obs=stacked((each.obs for each in seen), after),
            state=stacked((each.state for each in seen), after),
            available_actions=stacked(
                (each.available_actions for each in seen), after, PADDING["available_actions"]
            ),
            actions=stacked(self.actions[begin:], idle),
            reward=stacked((each.reward for each in transitions), idle),
            terminated=stacked((each.terminated for each in transitions), idle),
            truncated=stacked((each.truncated for each in transitions), idle),
            length=length,
            info={name: value.to(torch.float32) for name, value in transitions[-1].info.items()},
            extras={
                name: stacked((each[name] for each in self.extras[begin:]), idle) for name in self.extras[0]
            },
        )


def padded(values: torch.Tensor, where: torch.Tensor, padding: int) -> torch.Tensor:
    """`values` [B, T, ...], overwritten with `padding` `where` [B, T] an episode is over."""
    return values.masked_fill_(where.view(*where.shape, *[1] * (values.dim() - 2)), padding)
