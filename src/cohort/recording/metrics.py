"""The append-only file of metrics: the truth of which everything else is a mirror."""

import fcntl
import json
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohort.errors import UserError

DISCARDED = "metrics.discarded.jsonl"


@dataclass(frozen=True)
class Record:
    """The values logged at one moment of a run.

    Attributes:
        t_env: environment steps so far.
        updates: learner updates so far.
        episode: training episodes so far.
        wall_time: seconds spent running so far, over all sessions.
        metrics: name to value.
    """

    t_env: int
    updates: int
    episode: int
    wall_time: float
    metrics: dict[str, float]


class MetricsFile:
    """Appends one JSON object per line. A line counts once its line break is on file.

    Numbers that JSON has no word for are written as the strings "NaN", "Infinity" and "-Infinity": every line
    stays valid JSON, and `float()` reads them back in Python as `Number()` does in JavaScript.
    """

    def __init__(self, path: Path) -> None:
        """Open `path` for this process alone. Nothing is changed until something is written.

        Raises:
            UserError: another process is writing this file.
        """
        self.path = path
        self._torn = True  # as far as is known: a kill may have left half a line
        self._file = open(path, "ab")  # noqa: SIM115
        try:
            self._refuse_second_writer()
        except BaseException:
            self._file.close()
            raise

    def append(
        self, t_env: int, metrics: Mapping[str, float], *, updates: int, episode: int, wall_time: float
    ) -> Record:
        """Write one line and hand it to the operating system, so that only a power cut can lose it."""
        values = {name: float(value) for name, value in metrics.items()}
        record = Record(int(t_env), int(updates), int(episode), round(float(wall_time), 3), values)
        self._cut_torn_line()
        self._file.write(line_of(record))
        self._file.flush()
        return record

    def position(self) -> int:
        """Push everything to the disk and return where the file ends, for a checkpoint."""
        self._cut_torn_line()
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def refuse_misfit(self, position: int) -> None:
        """Look whether the run can go on from a checkpoint's `position`, and change nothing.

        Raises:
            UserError: the file is not the one that the checkpoint was made with, or is damaged before that place.
        """
        if not self._is_line_start(position):
            raise UserError(
                f"{self.path} does not fit its checkpoint: no line ends at byte {position}. "
                "The file was changed after the checkpoint was saved. Restore it, or start a new run."
            )
        _records(self.path, position)

    def rewind(self, position: int) -> None:
        """Return to a checkpoint's `position`; later lines move to `metrics.discarded.jsonl`.

        Raises:
            UserError: as `refuse_misfit`.
        """
        self.refuse_misfit(position)
        self._torn = False
        self._cut_from(position)

    def close(self) -> None:
        """Push everything to the disk and let other processes write."""
        if not self._file.closed:
            try:
                if not self._torn:
                    self.position()
                # Workers forked since then share the lock, and closing alone would leave it with them.
                with suppress(OSError):
                    fcntl.flock(self._file, fcntl.LOCK_UN)
            finally:
                self._file.close()

    def _refuse_second_writer(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{self.path} is being written by another process: this run is still going. "
                "Stop it before resuming it (status.json names its process)."
            ) from None
        except OSError:
            pass  # a network file system without locks: nothing to ask, and no reason not to run

    def _is_line_start(self, position: int) -> bool:
        if position == 0:
            return True
        with open(self.path, "rb") as file:
            file.seek(position - 1)
            return file.read(1) == b"\n"

    def _cut_torn_line(self) -> None:
        """Set aside the half line that a kill may have left, before anything follows it."""
        if self._torn:
            self._torn = False
            self._cut_from(_end_of_last_line(self.path))

    def _cut_from(self, position: int) -> None:
        """Cut what follows `position`, keeping it aside first: a kill in between loses nothing."""
        with open(self.path, "rb") as file:
            file.seek(position)
            cut = file.read()
        if not cut:
            return
        with open(self.path.with_name(DISCARDED), "ab") as aside:
            aside.write(cut if cut.endswith(b"\n") else cut + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        os.ftruncate(self._file.fileno(), position)
        os.fsync(self._file.fileno())


def read_metrics(path: Path) -> list[Record]:
    """Every whole line of a metrics file, also while it is being written.

    Raises:
        UserError: there is no such file, or a line other than a torn last one is no record.
    """
    return _records(path)


def _records(path: Path, end: int | None = None) -> list[Record]:
    """The whole lines before the byte `end`."""
    try:
        content = path.read_bytes()[:end]
    except FileNotFoundError:
        raise UserError(f"There are no metrics at {path}.") from None
    lines = content.split(b"\n")[:-1]  # what follows the last line break is empty or torn
    return [_from_line(line, path, number) for number, line in enumerate(lines, start=1)]


def read_series(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """One metric's environment steps and values; empty arrays while it has not been logged."""
    return series(read_metrics(path), name)


def series(records: Iterable[Record], name: str) -> tuple[np.ndarray, np.ndarray]:
    """One metric's environment steps (int64) and values (float64)."""
    found = [(record.t_env, record.metrics[name]) for record in records if name in record.metrics]
    steps = np.array([step for step, _ in found], dtype=np.int64)
    return steps, np.array([value for _, value in found], dtype=np.float64)


def line_of(record: Record) -> bytes:
    """A record as a line of the file, with its line break."""
    metrics = {name: _encoded(value) for name, value in record.metrics.items()}
    return (json.dumps(vars(record) | {"metrics": metrics}, allow_nan=False) + "\n").encode()


def _encoded(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _from_line(line: bytes, path: Path, number: int) -> Record:
    try:
        fields = json.loads(line)
        metrics = {name: float(value) for name, value in fields["metrics"].items()}
        return Record(fields["t_env"], fields["updates"], fields["episode"], fields["wall_time"], metrics)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"Line {number} of {path} is not a record of metrics: {error!r}") from error


def _end_of_last_line(path: Path) -> int:
    """Where the last whole line ends, reading backwards: the file may be large and the tail is short."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
