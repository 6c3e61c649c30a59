"""The transition replay memory."""

import dataclasses
from typing import Any

import torch
from pydantic import Field

from cohort.components.episodes import Episodes
from cohort.components.replay import ReplaySettings
from cohort.components.rows import RowRing, step_fields, step_rows
from cohort.components.transitions import Transitions
from cohort.envs.base import EnvSpec

SEEN = ("obs", "available_actions")  # what a transition has twice: before and after its step
DONE = ("actions", "reward", "terminated", "truncated")
SMALLEST_STD = 1e-8  # rewards that differ by less are one and the same


class TransitionReplaySettings(ReplaySettings):
    standardise_rewards: bool = Field(
        description="learners read rewards less their mean, over their standard deviation, of all that is held"
    )


class TransitionReplay:
    """The last `buffer_size` transitions, sampled uniformly with replacement.

    An observation is stored once, though it ends one transition and begins the next. States are not stored:
    centralised critics of actor-critic methods read all agents' observations.
    """

    Settings = TransitionReplaySettings

    learns_from = "transitions"

    def __init__(
        self,
        settings: TransitionReplaySettings,
        *,
        spec: EnvSpec,
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        """`device` is the learner's; `generator`, a CPU generator, draws the batches."""
        self.settings = settings
        self.learner_device = device
        self.generator = generator
        fields = step_fields(spec, getattr(torch, settings.buffer_dtype))
        self._ring = RowRing(
            {name: fields[name] for name in (*SEEN, *DONE)},
            most_rows=settings.buffer_size + settings.buffer_size // spec.episode_limit + spec.episode_limit,
            device=torch.device("cpu") if settings.buffer_cpu_only else device,
        )
        # address of each transition's first observation; the second stands right behind it
        self._start = torch.zeros(settings.buffer_size, dtype=torch.int64)
        self._added = 0  # transitions ever added; the next one takes slot `_added % buffer_size`
        self._moments: tuple[torch.Tensor, torch.Tensor] | None = (
            None  # of the rewards held now, once asked for
        )

    def __len__(self) -> int:
        return min(self._added, self.settings.buffer_size)

    def describe(self) -> str:
        """One line on the size to come."""
        return self._ring.describe(f"{self.settings.buffer_size:,} transitions", self.settings.buffer_dtype)

    def add(self, episodes: Episodes) -> None:
        """Keep every transition, episode by episode, the oldest making room."""
        length = episodes.length.cpu()
        rows = torch.arange(int(length.sum()) + len(length))
        last = (length + 1).cumsum(0) - 1
        begins = torch.ones(len(rows), dtype=torch.bool).index_fill_(0, last, False)
        starts = (self._ring.head + rows)[begins]
        slots = (self._added + torch.arange(len(starts))) % self.settings.buffer_size
        kept = slice(-self.settings.buffer_size, None)
        self._start[slots[kept]] = starts[kept]
        self._added += len(starts)
        self._moments = None
        self._ring.append(step_rows(episodes, [*SEEN, *DONE]), tail=min(self._tail, self._ring.head))

    def sample(self, batch_size: int) -> Transitions:
        """`batch_size` transitions on the learner's device."""
        chosen = torch.randint(len(self), (batch_size,), generator=self.generator)
        batch = self._read(chosen)
        if not self.settings.standardise_rewards:
            return batch
        mean, std = self.reward_moments()
        reward = (batch.reward.double() - mean) / std.clamp(min=SMALLEST_STD)
        return dataclasses.replace(batch, reward=reward.float())

    def reward_moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of all rewards held, float64 on the learner's device: [] or [N] each.

        Exact at every moment, and counted once between two `add`s.
        """
        if self._moments is None:
            places = (self._start[: len(self)] % self._ring.capacity).to(self._ring.device)
            rewards = self._ring.read("reward", places, self._ring.device).double()
            std, mean = torch.std_mean(rewards, dim=0, correction=0)
            self._moments = mean.to(self.learner_device), std.to(self.learner_device)
        return self._moments

    def _read(self, slots: torch.Tensor) -> Transitions:
        start = self._start[slots]
        places = (start % self._ring.capacity).to(self._ring.device)
        behind = ((start + 1) % self._ring.capacity).to(self._ring.device)
        device = self.learner_device
        return Transitions(
            **{name: self._ring.read(name, places, device) for name in (*SEEN, *DONE)},
            **{f"next_{name}": self._ring.read(name, behind, device) for name in SEEN},
        )

    @property
    def _tail(self) -> int:
        """The address of the oldest row still needed."""
        oldest = (self._added - len(self)) % self.settings.buffer_size
        return int(self._start[oldest]) if len(self) else self._ring.head

    def state_dict(self) -> dict[str, Any]:
        return {
            **self._ring.state_dict(tail=self._tail),
            "start": self._start[: len(self)].clone(),
            "added": self._added,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if min(state["added"], self.settings.buffer_size) != len(state["start"]):
            raise ValueError("the saved replay memory has another buffer_size")
        self._added, self._moments = state["added"], None
        self._start[: len(state["start"])] = state["start"]
        self._ring.head = state["head"]
        self._ring.load_state_dict(state, tail=self._tail)
        self.generator.set_state(state["generator"])
