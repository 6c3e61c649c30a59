"""The replay memory: the last episodes, or the last steps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.episodes import DONE, SEEN, Episodes
from cohort.components.rows import EXTRA, RowRing, step_fields, step_rows
from cohort.components.transitions import Transitions
from cohort.envs.base import EnvSpec
from cohort.settings import Settings

Unit = Literal["episodes", "steps"]
SMALLEST_STD = 1e-8  # rewards that differ by less are one and the same


class ReplaySettings(Settings):
    buffer_size: int = Field(
        ge=1, description="what the replay memory holds before the oldest makes room: episodes or steps"
    )
    buffer_dtype: Literal["float32", "float16", "bfloat16"] = Field(
        description="how observations and states are stored; learners always read float32"
    )
    buffer_cpu_only: bool = Field(
        description="keep the replay memory in host memory even when training on a GPU"
    )
    standardise_rewards: bool = Field(
        description="learners read rewards less their mean, over their standard deviation, of all that is held"
    )


class Replay:
    """The last `buffer_size` episodes or steps, whichever the learner reads, sampled uniformly.

    Episodes are drawn without replacement and come as `Episodes`, steps with replacement as `Transitions`. Either way
    all steps stand in one ring of rows, so that an observation is stored once and short episodes cost what they are
    long.
    """

    Settings = ReplaySettings

    def __init__(
        self,
        settings: ReplaySettings,
        *,
        unit: Unit,
        spec: EnvSpec,
        extras: Mapping[str, tuple[int, ...]],
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        """Hold nothing yet.

        Args:
            settings: the size.
            unit: what it counts and gives.
            spec: the environment's sizes.
            extras: what acting adds to each step: name -> shape.
            device: the learner's.
            generator: a CPU generator, which draws the batches.
        """
        self.settings, self.unit = settings, unit
        self.learner_device = device
        self.generator = generator
        size, limit = settings.buffer_size, spec.episode_limit
        self._ring = RowRing(
            step_fields(spec, getattr(torch, settings.buffer_dtype), extras),
            most_rows=size * (limit + 1) if unit == "episodes" else size + size // limit + limit,
            device=torch.device("cpu") if settings.buffer_cpu_only else device,
        )
        self._extras = tuple(extras)
        # address of the first row of each episode or step that is held, and how many steps it has
        self._start = torch.zeros(size, dtype=torch.int64)
        self._length = torch.ones(size, dtype=torch.int64)
        self._added = 0  # ever; the next one takes slot `_added % buffer_size`
        self._statistics: tuple[Tensor, Tensor] | None = None  # of the rewards held now, once asked for

    def __len__(self) -> int:
        return min(self._added, self.settings.buffer_size)

    @property
    def bytes_at_most(self) -> int:
        """What the full memory would take if every episode ran to its limit."""
        return self._ring.bytes_at_most

    def describe(self) -> str:
        """One line on the size to come."""
        stored = str(self._ring.fields["obs"].stored).removeprefix("torch.")
        return self._ring.describe(f"{self.settings.buffer_size:,} {self.unit}", stored)

    def add(self, episodes: Episodes) -> None:
        """Keep every episode or step, the oldest making room. Nothing beyond an episode's end is read."""
        if not episodes.batch_size:  # a stretch in which every game broke off
            return
        size = self.settings.buffer_size
        if self.unit == "episodes":  # when there are more than fit, the last of them stay
            episodes = episodes.rows(slice(-size, None))
        length = episodes.length.cpu()
        last = (length + 1).cumsum(0) - 1  # where, among the new rows, each episode's last observation stands
        if self.unit == "episodes":
            first = last - length
        else:
            first = (
                torch.ones(int(last[-1]) + 1, dtype=torch.bool).index_fill_(0, last, False).nonzero()[:, 0]
            )
        slots = (self._added + torch.arange(len(first))) % size
        kept = slice(-size, None)
        self._start[slots[kept]] = (self._ring.head + first)[kept]
        if self.unit == "episodes":
            self._length[slots] = length
        self._added += len(first)
        self._statistics = None
        self._ring.append(step_rows(episodes), tail=min(self._tail, self._ring.head))

    def sample(self, batch_size: int, latest: int | None = None) -> Episodes | Transitions:
        """`batch_size` episodes, padded to the longest of them, or steps, on the learner's device.

        With `latest`, drawn from so many alone that were added last.
        """
        held = len(self) if latest is None else min(latest, len(self))
        if self.unit == "episodes":
            chosen = torch.randperm(held, generator=self.generator)[:batch_size]
        else:
            chosen = torch.randint(held, (batch_size,), generator=self.generator)
        if latest is not None:
            chosen = (self._added - 1 - chosen) % self.settings.buffer_size
        batch = self._read(chosen)
        if not self.settings.standardise_rewards:
            return batch
        mean, std = self.reward_statistics()
        reward = ((batch.reward.double() - mean) / std.clamp(min=SMALLEST_STD)).float()
        if isinstance(batch, Episodes):
            reward = torch.where(batch.mask.view(*batch.mask.shape, *[1] * (reward.dim() - 2)), reward, 0.0)
        return dataclasses.replace(batch, reward=reward)

    def reward_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of all rewards held, float64 on the learner's device: [] or [N] each.

        Exact at every moment, and counted once between two `add`s.
        """
        if self._statistics is None:
            start, length = self._start[: len(self)], self._length[: len(self)]
            steps = torch.arange(int(length.max()))
            places = self._places((start[:, None] + steps)[steps < length[:, None]])
            rewards = self._ring.read("reward", places, self._ring.device).double()
            std, mean = torch.std_mean(rewards, dim=0, correction=0)
            self._statistics = mean.to(self.learner_device), std.to(self.learner_device)
        return self._statistics

    def _read(self, slots: Tensor) -> Episodes | Transitions:
        return self._read_episodes(slots) if self.unit == "episodes" else self._read_steps(slots)

    def _read_episodes(self, slots: Tensor) -> Episodes:
        length = self._length[slots]
        steps = torch.arange(int(length.max()) + 1)
        exists = steps <= length[:, None]
        places = self._places(torch.where(exists, self._start[slots, None] + steps, 0))
        places = places.masked_fill(~exists.to(places.device), self._ring.capacity)  # the row of padding

        def read(name: str, until: int | None = None) -> Tensor:
            rows = self._ring.read(name, places.flatten(), self.learner_device)
            return rows.view(*places.shape, *rows.shape[1:])[:, :until]

        return Episodes(
            **{name: read(name) for name in SEEN},
            **{name: read(name, -1) for name in DONE},
            length=length.to(self.learner_device),
            extras={name: read(EXTRA + name, -1) for name in self._extras},
        )

    def _read_steps(self, slots: Tensor) -> Transitions:
        start, device = self._start[slots], self.learner_device
        places, behind = self._places(start), self._places(start + 1)
        return Transitions(
            **{name: self._ring.read(name, places, device) for name in (*SEEN, *DONE)},
            **{f"next_{name}": self._ring.read(name, behind, device) for name in SEEN},
            extras={name: self._ring.read(EXTRA + name, places, device) for name in self._extras},
        )

    def _places(self, addresses: Tensor) -> Tensor:
        """Where in the ring rows stand."""
        return (addresses % self._ring.capacity).to(self._ring.device)

    @property
    def _tail(self) -> int:
        """The address of the oldest row still needed."""
        oldest = (self._added - len(self)) % self.settings.buffer_size
        return int(self._start[oldest]) if len(self) else self._ring.head

    def state_dict(self) -> dict[str, Any]:
        return {
            **self._ring.state_dict(tail=self._tail),
            "start": self._start[: len(self)].clone(),
            "length": self._length[: len(self)].clone(),
            "size": self.settings.buffer_size,
            "added": self._added,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["size"] != self.settings.buffer_size:
            raise ValueError(f"the saved replay memory has buffer_size={state['size']}")
        self._added, self._statistics = state["added"], None
        self._start[: len(self)], self._length[: len(self)] = state["start"], state["length"]
        self._ring.head = state["head"]
        self._ring.load_state_dict(state, tail=self._tail)
        self.generator.set_state(state["generator"])
