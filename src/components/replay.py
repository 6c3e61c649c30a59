"""The episode replay memory: a ring of steps that never stores padding."""

from typing import Any, Literal

import psutil
import torch
from pydantic import Field
from torch import Tensor

from src.components.episodes import Episodes
from src.envs.base import EnvSpec
from src.settings import Settings

FIRST_ROWS = 4096


class ReplaySettings(Settings):
    buffer_size: int = Field(
        ge=1, description="episodes the replay memory holds before the oldest makes room"
    )
    buffer_dtype: Literal["float32", "float16", "bfloat16"] = Field(
        description="how observations and states are stored; learners always read float32"
    )
    buffer_cpu_only: bool = Field(
        description="keep the replay memory in host memory even when training on a GPU"
    )


class EpisodeReplay:
    """The last `buffer_size` episodes, sampled uniformly without replacement.

    Steps of all episodes stand one behind the other in one ring of rows per field, so that short episodes cost
    what they are long. The ring starts small and doubles when it is full. A row's address only ever grows; its
    place in the ring is the address modulo the capacity, and one row more, always zero, is what padding reads.
    """

    Settings = ReplaySettings

    def __init__(
        self, settings: ReplaySettings, *, spec: EnvSpec, device: torch.device, generator: torch.Generator
    ) -> None:
        """`device` is the learner's; `generator`, a CPU generator, draws the batches."""
        self.settings = settings
        self.learner_device = device
        self.device = torch.device("cpu") if settings.buffer_cpu_only else device
        self.generator = generator
        stored = getattr(torch, settings.buffer_dtype)
        action = torch.uint8 if spec.n_actions <= 256 else torch.int16
        self._fields = {  # name -> (shape of one row, stored type, type learners read)
            "obs": ((spec.n_agents, spec.obs_dim), stored, torch.float32),
            "state": ((spec.state_dim,), stored, torch.float32),
            "available_actions": ((spec.n_agents, spec.n_actions), torch.bool, torch.bool),
            "actions": ((spec.n_agents,), action, torch.int64),
            "reward": (() if spec.common_reward else (spec.n_agents,), torch.float32, torch.float32),
            "terminated": ((), torch.bool, torch.bool),
        }
        self._most_rows = settings.buffer_size * (spec.episode_limit + 1)
        self._rows = {name: self._allocate(name, 0) for name in self._fields}
        self._start = torch.zeros(
            settings.buffer_size, dtype=torch.int64
        )  # address of each episode's first row
        self._length = torch.zeros(settings.buffer_size, dtype=torch.int64)
        self._added = 0  # episodes ever added; the next one takes slot `_added % buffer_size`
        self._head = 0  # the address that the next row gets

    def __len__(self) -> int:
        return min(self._added, self.settings.buffer_size)

    @property
    def bytes_at_most(self) -> int:
        """What the full memory would take if every episode ran to its limit."""
        per_row = sum(
            torch.Size(shape).numel() * stored.itemsize for shape, stored, _ in self._fields.values()
        )
        return self._most_rows * per_row

    def describe(self) -> str:
        """One line on the size to come, with a warning where the memory at hand is smaller."""
        text = (
            f"replay memory: {self.settings.buffer_size:,} episodes, at most {self.bytes_at_most / 1e9:.2f} GB "
            f"({self.settings.buffer_dtype}), grows as it fills"
        )
        free = (
            torch.cuda.mem_get_info(self.device)[0]
            if self.device.type == "cuda"
            else psutil.virtual_memory().available
        )
        if self.bytes_at_most > free:
            text += (
                f"; only {free / 1e9:.2f} GB are free now: lower buffer_size if episodes run to their limit"
            )
        return text

    def add(self, episodes: Episodes) -> None:
        """Keep every episode, the oldest making room. Nothing beyond an episode's end is read.

        When there are more than `buffer_size`, the last of them stay.
        """
        episodes = episodes.rows(slice(-self.settings.buffer_size, None))
        length = episodes.length.cpu()
        count, rows = len(length), int(length.sum()) + len(length)
        slots = (self._added + torch.arange(count)) % self.settings.buffer_size
        last = (length + 1).cumsum(0) - 1  # where, among the new rows, each episode's last observation stands
        self._start[slots], self._length[slots] = self._head + last - length, length
        self._added += count
        self._reserve(rows)
        places = ((self._head + torch.arange(rows)) % self._capacity).to(self.device)
        steps = torch.arange(episodes.obs.shape[1])
        exists = (steps <= length[:, None]).to(episodes.obs.device)  # [B, T+1]
        for name, into in self._rows.items():
            values = getattr(episodes, name)
            if values.shape[1] < len(steps):  # nothing is done or paid at an episode's last observation
                values = torch.cat([values, torch.zeros_like(values[:, :1])], dim=1)
                new = values[exists].index_fill_(0, last.to(values.device), 0)
            else:
                new = values[exists]
            into.index_copy_(0, places, new.to(into.device, into.dtype))
        self._head += rows

    def sample(self, batch_size: int) -> Episodes:
        """`batch_size` different episodes, padded to the longest of them, on the learner's device."""
        chosen = torch.randperm(len(self), generator=self.generator)[:batch_size]
        return self._read(chosen)

    def _read(self, slots: Tensor) -> Episodes:
        length = self._length[slots]
        steps = torch.arange(int(length.max()) + 1)
        places = (self._start[slots, None] + steps) % self._capacity
        places = torch.where(steps <= length[:, None], places, self._capacity).flatten().to(self.device)
        values = {}
        for name, (shape, _, read_as) in self._fields.items():
            rows = (
                self._rows[name].index_select(0, places).to(self.learner_device, read_as, non_blocking=True)
            )
            values[name] = rows.view(len(slots), len(steps), *shape)
        for name in ("actions", "reward", "terminated"):
            values[name] = values[name][:, :-1]
        return Episodes(**values, length=length.to(self.learner_device))

    @property
    def _capacity(self) -> int:
        return self._rows["reward"].shape[0] - 1

    @property
    def _tail(self) -> int:
        """The address of the oldest row still needed."""
        oldest = (self._added - len(self)) % self.settings.buffer_size
        return int(self._start[oldest]) if len(self) else self._head

    def _allocate(self, name: str, capacity: int) -> Tensor:
        shape, stored, _ = self._fields[name]
        return torch.zeros((capacity + 1, *shape), dtype=stored, device=self.device)

    def _reserve(self, rows: int) -> None:
        """Make room for `rows` more behind the head, moving what there is into a larger ring if need be."""
        tail = self._tail
        needed = self._head + rows - tail
        if needed <= self._capacity:
            return
        capacity = max(needed, min(max(2 * self._capacity, FIRST_ROWS), self._most_rows))
        kept = torch.arange(tail, self._head)
        source = (kept % max(1, self._capacity)).to(self.device)
        places = (kept % capacity).to(self.device)
        for name, old in self._rows.items():
            new = self._allocate(name, capacity)
            self._rows[name] = new.index_copy_(0, places, old.index_select(0, source))

    def state_dict(self) -> dict[str, Any]:
        addresses = torch.arange(self._tail, self._head)
        places = (addresses % max(1, self._capacity)).to(self.device)
        return {
            "rows": {name: rows.index_select(0, places).cpu() for name, rows in self._rows.items()},
            "capacity": self._capacity,
            "start": self._start.clone(),
            "length": self._length.clone(),
            "added": self._added,
            "head": self._head,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if len(state["start"]) != self.settings.buffer_size:
            raise ValueError(f"the saved replay memory has buffer_size={len(state['start'])}")
        self._start, self._length = state["start"].clone(), state["length"].clone()
        self._added, self._head = state["added"], state["head"]
        capacity = state["capacity"]
        places = (torch.arange(self._tail, self._head) % max(1, capacity)).to(self.device)
        for name, rows in state["rows"].items():
            self._rows[name] = self._allocate(name, capacity).index_copy_(0, places, rows.to(self.device))
        self.generator.set_state(state["generator"])
