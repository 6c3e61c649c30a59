"""A ring of rows: where replay memories keep steps, one behind the other, without padding."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor

from cohort.components.episodes import DONE, PADDING, SEEN, Episodes
from cohort.components.pictures import as_numbers, as_stored
from cohort.envs.base import EnvSpec

FIRST_ROWS = 4096
FIRST_BYTES = 2**28  # or as many rows as these hold: rows of pictures are large

EXTRA = "extra/"  # before the names of what acting added


class RowField(NamedTuple):
    """One field of a row: its shape, how it is stored, and the type learners read."""

    shape: tuple[int, ...]
    stored: torch.dtype
    read_as: torch.dtype


def step_fields(
    spec: EnvSpec, stored: torch.dtype, extras: Mapping[str, tuple[int, ...]]
) -> dict[str, RowField]:
    """The fields of one step of an episode.

    Args:
        spec: the environment's sizes.
        stored: the type of observations and states, but for pictures of bytes, which stay bytes.
        extras: what acting adds to each step: name -> shape.
    """
    agents = (spec.n_agents,)
    if spec.action_dim:
        actions = RowField((*agents, spec.action_dim), torch.float32, torch.float32)
    else:
        small = torch.uint8 if spec.n_actions <= 256 else torch.int16
        actions = RowField(agents, small, torch.int64)
    fields = {
        "obs": RowField((*agents, spec.obs_dim), torch.uint8 if spec.picture else stored, torch.float32),
        "state": RowField((spec.state_dim,), torch.uint8 if spec.state_in_bytes else stored, torch.float32),
        "available_actions": RowField((*agents, spec.n_actions), torch.bool, torch.bool),
        "actions": actions,
        "reward": RowField(() if spec.common_reward else agents, torch.float32, torch.float32),
        "terminated": RowField((), torch.bool, torch.bool),
        "truncated": RowField((), torch.bool, torch.bool),
    }
    more = {EXTRA + name: RowField(shape, torch.float32, torch.float32) for name, shape in extras.items()}
    return fields | more


def step_rows(episodes: Episodes) -> dict[str, Tensor]:
    """Episodes as rows, L + 1 for each: its steps, then its last observation with zeros for all that is done or paid.

    [B, T(+1), ...] -> [R, ...] for every field. Nothing beyond an episode's end is read.
    """
    device = episodes.obs.device
    length = episodes.length.to(device)
    steps = torch.arange(episodes.obs.shape[1], device=device)
    exists = steps <= length[:, None]  # [B, T+1]
    last = (length + 1).cumsum(0) - 1  # where, among the rows, each episode's last observation stands
    rows = {name: getattr(episodes, name)[exists] for name in SEEN}
    done = {name: getattr(episodes, name) for name in DONE}
    done |= {EXTRA + name: values for name, values in episodes.extras.items()}
    for name, values in done.items():
        values = torch.cat([values, torch.zeros_like(values[:, :1])], dim=1)
        rows[name] = values[exists].index_fill_(0, last, 0)
    return rows


class RowRing:
    """Rows of several fields behind one another in a ring.

    A row's address only ever grows; its place in the ring is the address modulo the capacity. One row more stands
    behind the ring and never changes: it is what padding reads. In host memory the whole ring is asked for at once and
    never cleared: the system gives memory only as rows are written. Where that cannot be had, and on a GPU, which
    gives at once what is asked for, the ring doubles when it is full.
    """

    def __init__(self, fields: Mapping[str, RowField], *, most_rows: int, device: torch.device) -> None:
        """`most_rows` is as far as the ring grows; it grows beyond only when it must."""
        self.fields = dict(fields)
        self.most_rows, self.device = most_rows, device
        self._rows = {name: self._allocate(name, 0) for name in self.fields}
        self.head = 0  # the address that the next row gets

    @property
    def bytes_at_most(self) -> int:
        """What `most_rows` rows take."""
        return self.most_rows * self._row_bytes

    @property
    def _row_bytes(self) -> int:
        return sum(torch.Size(each.shape).numel() * each.stored.itemsize for each in self.fields.values())

    @property
    def _first_rows(self) -> int:
        """What the ring begins with."""
        return min(FIRST_ROWS, max(1, FIRST_BYTES // self._row_bytes))

    def describe(self, contents: str, stored: str) -> str:
        """One line on the size to come, with a warning where the memory at hand is smaller."""
        text = f"replay memory: {contents}, at most {self.bytes_at_most / 1e9:.2f} GB ({stored}), grows as it fills"
        if self.device.type == "cpu":
            now = psutil.Process().memory_info().rss
            text += f"; this process: {now / 1e9:.2f} GB, then at most about {(now + self.bytes_at_most) / 1e9:.2f} GB"
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

    def append(self, rows: Mapping[str, Tensor], *, tail: int) -> None:
        """Add rows, [R, ...] for each field; rows from address `tail` on are kept."""
        count = len(next(iter(rows.values())))
        self._reserve(count, tail)
        places = ((self.head + torch.arange(count)) % self.capacity).to(self.device)
        for name, into in self._rows.items():
            into.index_copy_(0, places, as_stored(rows[name], into.dtype).to(into.device))
        self.head += count

    def read(self, name: str, places: Tensor, device: torch.device) -> Tensor:
        """Rows of one field at `places` [R] of the ring, as learners on `device` read them."""
        rows, read_as = self._rows[name].index_select(0, places), self.fields[name].read_as
        if rows.dtype == torch.uint8 and read_as == torch.float32:
            return as_numbers(rows.to(device, non_blocking=True))
        return rows.to(device, read_as, non_blocking=True)

    @property
    def capacity(self) -> int:
        return next(iter(self._rows.values())).shape[0] - 1

    def _allocate(self, name: str, capacity: int) -> Tensor:
        field = self.fields[name]
        rows = torch.empty((capacity + 1, *field.shape), dtype=field.stored, device=self.device)
        rows[-1].fill_(PADDING.get(name, 0))
        return rows

    def _reserve(self, rows: int, tail: int) -> None:
        """Make room for `rows` more behind the head, moving what there is into a larger ring if need be."""
        needed = self.head + rows - tail
        if needed <= self.capacity:
            return
        if self.device.type == "cpu" and not self.capacity and needed <= self.most_rows:
            try:
                self._rows = {name: self._allocate(name, self.most_rows) for name in self.fields}
                return
            except RuntimeError:  # more than the system promises; less may do
                self._rows = {name: self._allocate(name, 0) for name in self.fields}
        capacity = max(needed, min(max(2 * self.capacity, self._first_rows), self.most_rows))
        kept = torch.arange(tail, self.head)
        source = (kept % max(1, self.capacity)).to(self.device)
        places = (kept % capacity).to(self.device)
        for name, old in self._rows.items():
            new = self._allocate(name, capacity)
            self._rows[name] = new.index_copy_(0, places, old.index_select(0, source))

    def state_dict(self, *, tail: int) -> dict[str, Any]:
        """The rows from address `tail` on, in one piece or two: parts of the ring itself, where that is on the CPU."""
        begin, count = tail % max(1, self.capacity), self.head - tail
        first = min(count, self.capacity - begin)
        spans = [span for span in ((begin, begin + first), (0, count - first)) if span[0] < span[1]]
        return {
            "rows": {
                name: [_with_storage_of_its_own(rows[slice(*span)]) for span in spans]
                for name, rows in self._rows.items()
            },
            "capacity": self.capacity,
            "head": self.head,
        }

    def load_state_dict(self, state: Mapping[str, Any], *, tail: int) -> None:
        self.head, capacity = state["head"], state["capacity"]
        for name, pieces in state["rows"].items():
            self._rows[name] = into = self._allocate(name, capacity)
            begin = tail
            # programs before had one piece, in the order of addresses
            for piece in [pieces] if isinstance(pieces, Tensor) else pieces:
                places = torch.arange(begin, begin + len(piece)) % max(1, capacity)
                into.index_copy_(0, places.to(self.device), piece.to(self.device))
                begin += len(piece)


def _with_storage_of_its_own(rows: Tensor) -> Tensor:
    """The same memory as a tensor that knows of no more: torch saves the whole storage of what it is given."""
    if rows.device.type != "cpu" or not rows.numel():
        return rows.cpu().clone()
    return torch.from_numpy(rows.flatten().view(torch.uint8).numpy()).view(rows.dtype).view(rows.shape)
