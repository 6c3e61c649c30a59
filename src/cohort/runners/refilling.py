"""Whole episodes from games that never wait for each other: one that has ended begins anew at once."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cohort.components.episodes import DONE, PADDING, SEEN, Episodes
from cohort.envs.base import Observation
from cohort.runners.in_process import InProcessRunner, padded


class RefillingRunner(InProcessRunner):
    """As `InProcessRunner`, but that while collecting all B games always play.

    Side by side, a round lasts as long as its longest episode, and games that are over are simulated in vain. Here
    `run` returns the first `episodes` that end; those that are still being played go on in the next round, with the
    policy that has learned in between. Each is returned whole, in its turn: none is left out for being long.
    Evaluations play as ever: their episodes all begin together, and all count.
    """

    requires_of_env = ("single_resets",)
    requires_of_mac = ("single_resets",)
    requires_of_trainer = ("late_episodes",)
    learns_from = "episodes"

    _playing: "_Playing | None" = None

    def run(self, *, t_env: int, explore: bool, watch: Callable[[], None] | None = None) -> Episodes:
        """`episodes` episodes: those that ended first, or, without exploring, as `InProcessRunner` plays them."""
        if not explore:
            return super().run(t_env=t_env, explore=explore, watch=watch)
        if self._playing is None:
            self._playing = _Playing(self.env.reset(), self.policy.initial_memory(self.env.batch_size))
        playing = self._playing
        while playing.ended < self.episodes:
            with torch.inference_mode():
                self._step(playing, t_env)
            if watch:
                watch()
        return playing.take(self.episodes)

    def _step(self, playing: "_Playing", t_env: int) -> None:
        actions, memory, extras = self.policy.act(playing.observation, playing.memory, t_env, self.generator)
        transition = self.env.step(actions)
        done = {"actions": actions, **{name: getattr(transition, name) for name in DONE[1:]}}
        playing.steps.append(_Step(playing.observation, done, extras))
        playing.observation, playing.memory = transition.observation, memory
        over = transition.terminated | transition.truncated
        if over.any():
            playing.end(over, transition.info)
            playing.observation = self.env.reset(over)
            playing.memory = self.policy.begun_anew(memory, over)

    def state_dict(self) -> dict[str, Any]:
        playing = self._playing
        return {**super().state_dict(), "playing": playing.state_dict() if playing else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if state["playing"] is None:
            self._playing = None
            return
        memory = self.policy.initial_memory(self.env.batch_size)
        self._playing = _Playing.restored(state["playing"], type(memory))


class _Step(NamedTuple):
    """What all games did at one moment."""

    seen: Observation
    done: dict[str, Tensor]  # {name of DONE: [B, ...]}
    extras: dict[str, Tensor]


class _Ended(NamedTuple):
    """K episodes that ended at one moment."""

    game: Tensor  # [K] int64
    begin: Tensor  # [K] int64 the step, among those that are kept, with which each began
    length: Tensor  # [K] int64
    last: tuple[Tensor, ...]  # [K, ...] each what was seen at the end, by SEEN
    info: dict[str, Tensor]  # [K] each


class _Playing:
    """B games under way: the steps since the oldest of their episodes began, and the episodes that wait to be taken."""

    def __init__(self, first: Observation, memory: Any) -> None:
        self.observation, self.memory = first, memory
        self.steps: list[_Step] = []
        self._begin = torch.zeros(len(first.obs), dtype=torch.int64, device=first.obs.device)
        self._ended: list[_Ended] = []
        self._waiting: Episodes | None = None

    @property
    def ended(self) -> int:
        """How many episodes wait to be taken."""
        waiting = self._waiting.batch_size if self._waiting else 0
        return waiting + sum(len(each.game) for each in self._ended)

    def end(self, over: Tensor, info: dict[str, Tensor]) -> None:
        """The episodes of the games `over` [B] bool end with the latest step; others begin with the next."""
        game, after = over.nonzero().squeeze(1), len(self.steps)
        begin = self._begin[game]
        last = tuple(each[game] for each in self.observation)
        self._ended.append(
            _Ended(game, begin, after - begin, last, {name: value[game] for name, value in info.items()})
        )
        self._begin = self._begin.masked_fill(over, after)

    def take(self, number: int) -> Episodes:
        """The `number` episodes that ended first."""
        episodes = Episodes.concatenated([*([self._waiting] if self._waiting else []), *self._finished()])
        self._waiting = episodes.rows(slice(number, None)) if episodes.batch_size > number else None
        return episodes.rows(slice(number))

    def _finished(self) -> list[Episodes]:
        """Those that ended since the last call, as one part if any did. What only they needed is forgotten."""
        if not self._ended:
            return []
        game, begin, length, last, info = zip(*self._ended, strict=True)
        ended = _Ended(
            *(torch.cat(each) for each in (game, begin, length)),
            last=tuple(torch.cat(each) for each in zip(*last, strict=True)),
            info={name: torch.cat([each[name] for each in info]).float() for name in info[0]},
        )
        episodes = _cut(self.steps, ended)
        self._ended, oldest = [], int(self._begin.min())
        del self.steps[:oldest]
        self._begin = self._begin - oldest
        return [episodes]

    def state_dict(self) -> dict[str, Any]:
        """Between two rounds, when all that ended is taken or waits."""
        steps = self.steps
        extras = steps[0].extras if steps else {}
        waiting = self._waiting
        return {
            "observation": tuple(self.observation),
            "memory": tuple(self.memory),
            "begin": self._begin,
            "seen": {name: [getattr(step.seen, name) for step in steps] for name in SEEN},
            "done": {name: [step.done[name] for step in steps] for name in DONE},
            "extras": {name: [step.extras[name] for step in steps] for name in extras},
            "waiting": waiting and {each.name: getattr(waiting, each.name) for each in fields(waiting)},
        }

    @classmethod
    def restored(cls, state: dict[str, Any], memory: Callable[..., Any]) -> "_Playing":
        """The games of `state_dict`; `memory` makes a memory of its parts."""
        playing = cls(Observation(*state["observation"]), memory(*state["memory"]))
        playing._begin = state["begin"]
        if state["waiting"]:
            playing._waiting = Episodes(**state["waiting"])
        for i in range(len(state["done"]["reward"])):
            seen, done, extras = (
                {name: steps[i] for name, steps in state[part].items()} for part in ("seen", "done", "extras")
            )
            playing.steps.append(_Step(Observation(**seen), done, extras))
        return playing


def _cut(steps: Sequence[_Step], ended: _Ended) -> Episodes:
    """The K episodes that ended, cut out of the steps of all games."""
    first, longest = int(ended.begin.min()), int(ended.length.max())
    steps, device = steps[first:], ended.game.device
    rows = torch.arange(len(ended.game), device=device)
    moments = torch.arange(longest + 1, device=device)
    begin, length = (ended.begin - first).unsqueeze(1), ended.length.unsqueeze(1)
    places = (begin + moments).clamp_max(len(steps) - 1)  # [K, T+1]; any step behind an episode's end
    after, idle = moments > length, (moments >= length)[:, :-1]  # as padded

    def cut(values: list[Tensor], where: Tensor, padding: int = 0) -> Tensor:
        """[B, ...] of every step -> [K, T(+1), ...], `padding` where [K, T(+1)] an episode is over."""
        return padded(
            torch.stack(values)[places[:, : where.shape[1]], ended.game.unsqueeze(1)], where, padding
        )

    seen = {}
    for name, last in zip(SEEN, ended.last, strict=True):
        seen[name] = cut([getattr(step.seen, name) for step in steps], after, PADDING.get(name, 0))
        seen[name][rows, ended.length] = last
    return Episodes(
        **seen,
        **{name: cut([step.done[name] for step in steps], idle) for name in DONE},
        length=ended.length,
        info=ended.info,
        extras={name: cut([step.extras[name] for step in steps], idle) for name in steps[0].extras},
    )
