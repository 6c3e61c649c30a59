"""The episode replay memory."""

from typing import Any, Literal

import torch
from pydantic import Field

from cohort.components.episodes import Episodes
from cohort.components.rows import RowRing, step_fields, step_rows
from cohort.envs.base import EnvSpec
from cohort.settings import Settings

FIELDS = ("obs", "state", "available_actions", "actions", "reward", "terminated")


class ReplaySettings(Settings):
    buffer_size: int = Field(
        ge=1, description="what the replay memory holds before the oldest makes room: episodes or transitions"
    )
    buffer_dtype: Literal["float32", "float16", "bfloat16"] = Field(
        description="how observations and states are stored; learners always read float32"
    )
    buffer_cpu_only: bool = Field(
        description="keep the replay memory in host memory even when training on a GPU"
    )


class EpisodeReplay:
    """The last `buffer_size` episodes, sampled uniformly without replacement.

    Steps of all episodes stand in one ring of rows, so that short episodes cost what they are long.
    """

    Settings = ReplaySettings

    learns_from = "episodes"

    def __init__(
        self, settings: ReplaySettings, *, spec: EnvSpec, device: torch.device, generator: torch.Generator
    ) -> None:
        """`device` is the learner's; `generator`, a CPU generator, draws the batches."""
        self.settings = settings
        self.learner_device = device
        self.generator = generator
        fields = step_fields(spec, getattr(torch, settings.buffer_dtype))
        self._ring = RowRing(
            {name: fields[name] for name in FIELDS},
            most_rows=settings.buffer_size * (spec.episode_limit + 1),
            device=torch.device("cpu") if settings.buffer_cpu_only else device,
        )
        # address of each episode's first row
        self._start = torch.zeros(settings.buffer_size, dtype=torch.int64)
        self._length = torch.zeros(settings.buffer_size, dtype=torch.int64)
        self._added = 0  # episodes ever added; the next one takes slot `_added % buffer_size`

    def __len__(self) -> int:
        return min(self._added, self.settings.buffer_size)

    @property
    def bytes_at_most(self) -> int:
        """What the full memory would take if every episode ran to its limit."""
        return self._ring.bytes_at_most

    def describe(self) -> str:
        """One line on the size to come."""
        return self._ring.describe(f"{self.settings.buffer_size:,} episodes", self.settings.buffer_dtype)

    def add(self, episodes: Episodes) -> None:
        """Keep every episode, the oldest making room. Nothing beyond an episode's end is read.

        When there are more than `buffer_size`, the last of them stay.
        """
        episodes = episodes.rows(slice(-self.settings.buffer_size, None))
        length = episodes.length.cpu()
        slots = (self._added + torch.arange(len(length))) % self.settings.buffer_size
        rows = length + 1
        self._start[slots] = self._ring.head + rows.cumsum(0) - rows
        self._length[slots] = length
        self._added += len(length)
        self._ring.append(step_rows(episodes, list(FIELDS)), tail=self._tail)

    def sample(self, batch_size: int) -> Episodes:
        """`batch_size` different episodes, padded to the longest of them, on the learner's device."""
        chosen = torch.randperm(len(self), generator=self.generator)[:batch_size]
        return self._read(chosen)

    def _read(self, slots: torch.Tensor) -> Episodes:
        length = self._length[slots]
        steps = torch.arange(int(length.max()) + 1)
        places = (self._start[slots, None] + steps) % self._ring.capacity
        padding = self._ring.capacity  # the row of zeros
        places = torch.where(steps <= length[:, None], places, padding).flatten().to(self._ring.device)
        values = {}
        for name in FIELDS:
            rows = self._ring.read(name, places, self.learner_device)
            values[name] = rows.view(len(slots), len(steps), *rows.shape[1:])
        for name in ("actions", "reward", "terminated"):
            values[name] = values[name][:, :-1]
        return Episodes(**values, length=length.to(self.learner_device))

    @property
    def _tail(self) -> int:
        """The address of the oldest row still needed."""
        oldest = (self._added - len(self)) % self.settings.buffer_size
        return int(self._start[oldest]) if len(self) else self._ring.head

    def state_dict(self) -> dict[str, Any]:
        return {
            **self._ring.state_dict(tail=self._tail),
            "start": self._start.clone(),
            "length": self._length.clone(),
            "added": self._added,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if len(state["start"]) != self.settings.buffer_size:
            raise ValueError(f"the saved replay memory has buffer_size={len(state['start'])}")
        self._start, self._length = state["start"].clone(), state["length"].clone()
        self._added = state["added"]
        self._ring.head = state["head"]
        self._ring.load_state_dict(state, tail=self._tail)
        self.generator.set_state(state["generator"])
