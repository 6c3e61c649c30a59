"""`Run`: what the commands know about one run, wherever it is recorded."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

import numpy as np

from cohort.configuration.task import task_name
from cohort.errors import UserError
from cohort.recording.metrics import Record

DIVERGED = "DIVERGED"
DEAD = "DEAD"  # says RUNNING, but its process is gone
UNCLOSED = "UNCLOSED"  # so too, but after its last step: --resume closes its record
SILENT = "SILENT"  # says RUNNING, but on another machine and without an update for long
SILENT_AFTER = timedelta(minutes=10)
QUOTIENT = "/"  # between the names of two metrics
ANY_NUMBER = "*"  # in a metric's name
AXES = {
    "steps": "environment steps",
    "episodes": "episodes",
    "updates": "updates",
    "wall": "hours of running",
}


@dataclass(frozen=True)
class Status:
    """What a run is doing, or how it ended.

    Attributes:
        state: one of `cohort.recording.status.State`, or DEAD, UNCLOSED or SILENT.
        t_env: environment steps so far.
        wall_seconds: seconds of running so far, over all sessions.
        seen: when it last wrote its status; None if never.
    """

    state: str
    t_env: int
    wall_seconds: float
    seen: datetime | None


class Run(ABC):
    """One run. Everything is read when it is first asked for, and only once."""

    def __init__(self, name: str, place: str) -> None:
        """`name` links the run's records; `place` says where this one lies."""
        self.name = name
        self.place = place

    @property
    @abstractmethod
    def config(self) -> Mapping[str, Any]:
        """Every key with its value; the environment's are nested under `env_args`."""

    @property
    @abstractmethod
    def sessions(self) -> Sequence[Mapping[str, Any]]:
        """Provenance of every session, oldest first, without what is not on record."""

    @property
    @abstractmethod
    def status(self) -> Status:
        """Where the run is."""

    @property
    @abstractmethod
    def updates(self) -> int | None:
        """Learner updates so far; None where they are not on record, and then no point of the run has them."""

    @property
    @abstractmethod
    def episode(self) -> int | None:
        """Training episodes so far; None where they are not on record."""

    @property
    @abstractmethod
    def records(self) -> Sequence[Record]:
        """Every logged value, in order."""

    @abstractmethod
    def last_logged(self, metric: str) -> float | None:
        """The last logged value under a metric's own name; None if there is none."""

    def last(self, metric: str) -> float | None:
        """The last value of a metric, of a quotient or of a mean, as `series` has it; None if there is none."""
        value = self.last_logged(metric)
        if value is not None or not {QUOTIENT, ANY_NUMBER} & set(metric):
            return value
        _, values = self.series(metric)
        return float(values[-1]) if len(values) else None

    @cached_property
    def diverged(self) -> bool:
        """Whether its numbers have left the finite: it says so, or what it logged last does, whatever the metric."""
        return self.status.state == DIVERGED or not all(map(math.isfinite, self.recent_metrics.values()))

    @property
    @abstractmethod
    def recent_metrics(self) -> Mapping[str, float]:
        """The last values of the metrics that were logged recently, which are cheap to read."""

    def series(self, metric: str, x: str = "steps") -> tuple[np.ndarray, np.ndarray]:
        """One metric's values [K] over one of `AXES` [K], where it has finite ones.

        `a/b` is the quotient of two metrics that were logged at the same moment, `a_*` the mean of a_0, a_1, ...

        Raises:
            UserError: the number of updates or episodes is not on record.
        """
        if x in ("updates", "episodes") and self.updates is None:
            raise UserError(
                f"{self.name} ({self.place}) has no {x} on record: MongoDB learns them when a session ends. "
                "Choose --x steps, or name the run's folder."
            )
        found = [(_position(one, x), value_of(one, metric)) for one in self.records]
        pairs = [(position, value) for position, value in found if value is not None]
        points = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        points = points[np.isfinite(points[:, 1])]
        return points[:, 0], points[:, 1]

    @cached_property
    def flat_config(self) -> dict[str, Any]:
        """The configuration without nesting: `env_args.map_name` is one key."""
        return dict(_flattened(self.config))

    @property
    def method(self) -> str:
        return str(self.config.get("name", "?"))

    @property
    def env(self) -> str:
        return str(self.config.get("env", "?"))

    @property
    def map_name(self) -> str:
        """The map, or what stands for it where the environment has no maps."""
        return task_name(self.config)

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")

    @property
    def git(self) -> Mapping[str, Any]:
        """Commit, dirty and diff_hash of the last session; empty outside a checkout."""
        return (self.sessions[-1].get("git") or {}) if self.sessions else {}

    @property
    def started(self) -> str | None:
        """When the first session began, in ISO 8601."""
        return self.sessions[0].get("started") if self.sessions else None

    @cached_property
    def facts(self) -> dict[str, str]:
        """What the game reports of itself, as its version; where sessions differ, all answers in order."""
        answers: dict[str, list[str]] = {}
        for session in self.sessions:
            for name, value in (session.get("environment") or {}).items():
                seen = answers.setdefault(name, [])
                if str(value) not in seen:
                    seen.append(str(value))
        return {name: " then ".join(values) for name, values in answers.items()}

    @cached_property
    def updates_per_episode(self) -> float | None:
        """Updates per training episode as logged, counted from the first update on; None if unknown."""
        if self.updates is None:
            return None
        learning = [record for record in self.records if record.updates > 0]
        if not learning or learning[-1].episode == learning[0].episode:
            return None
        first, last = learning[0], learning[-1]
        return (last.updates - first.updates) / (last.episode - first.episode)


def value_of(record: Record, metric: str) -> float | None:
    """A metric's value, that of a quotient `a/b`, or the mean of `a_*`; None where what it needs was not logged then.

    A quotient is NaN for b = 0. A `*` stands for any number, as in `kl_agent_*` and `coordination_*_*`.
    """
    if metric in record.metrics:
        return record.metrics[metric]
    if ANY_NUMBER in metric:
        values = [record.metrics[name] for name in record.metrics if _numbered(metric).fullmatch(name)]
        return sum(values) / len(values) if values else None
    above, _, below = metric.partition(QUOTIENT)
    if above not in record.metrics or below not in record.metrics:
        return None
    return record.metrics[above] / record.metrics[below] if record.metrics[below] else math.nan


@cache
def _numbered(metric: str) -> re.Pattern[str]:
    return re.compile(re.escape(metric).replace(re.escape(ANY_NUMBER), r"\d+"))


def _position(record: Record, x: str) -> float:
    if x == "wall":
        return record.wall_time / 3600
    return {"steps": record.t_env, "updates": record.updates, "episodes": record.episode}[x]


def _flattened(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
