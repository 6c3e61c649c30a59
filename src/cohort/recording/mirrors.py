"""What repeats the metrics elsewhere, and how losing one stays harmless."""

from collections.abc import Callable, Sequence
from typing import Protocol

from cohort.recording.metrics import Record


class Mirror(Protocol):
    """Something that repeats the metrics file for another reader."""

    name: str

    def begin(self, earlier: Sequence[Record]) -> None:
        """Start a session. `earlier` is what previous sessions of this run logged: empty in a fresh run."""

    def log(self, record: Record) -> None:
        """Repeat one line of metrics."""

    def close(self) -> None:
        """Finish what is under way."""


class GuardedMirror:
    """A mirror whose first failure is reported and its last: it is dropped, and the run goes on."""

    def __init__(self, mirror: Mirror, report: Callable[[str], None]) -> None:
        """Guard `mirror`; `report` prints one line on the console."""
        self.name = mirror.name
        self._mirror: Mirror | None = mirror
        self._report = report
        self._missed = 0
        self._offered = 0

    def begin(self, earlier: Sequence[Record]) -> None:
        """Start a session."""
        self._try(lambda mirror: mirror.begin(earlier), "at its start")

    def log(self, record: Record) -> None:
        """Pass one record on, or count it as missed."""
        self._offered += 1
        self._try(lambda mirror: mirror.log(record), f"at step {record.t_env:,}")
        self._missed += self._mirror is None

    def close(self) -> None:
        """Finish the mirror, or say how much it missed."""
        self._try(lambda mirror: mirror.close(), "while closing")
        if self._missed:
            self._report(
                f"{self.name} missed {self._missed:,} of this session's {self._offered:,} log events; "
                "metrics.jsonl has them all."
            )
            self._missed = 0

    def _try(self, action: Callable[[Mirror], None], when: str) -> None:
        if self._mirror is None:
            return
        try:
            action(self._mirror)
        except Exception as error:
            self._mirror = None
            self._report(
                f"{self.name} is lost {when} ({type(error).__name__}: {error}). "
                "The run goes on; what it misses from here is in metrics.jsonl."
            )
