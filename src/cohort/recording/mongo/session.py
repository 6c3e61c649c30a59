"""One session of a run as MongoDB is to have it, read from the run's folder, which is the truth."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cohort.errors import UserError
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import Record, read_metrics

MAX_POINTS = 200_000  # a document may have 16 MB, and one with this many points has about 9
FORMAT = "MongoObserver-0.7.0"  # Sacred's name for this layout
_TIMES = ("start_time", "stop_time", "heartbeat")


@dataclass
class Series:
    """One metric's points, in the order in which they were logged."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    timestamps: list[datetime] = field(default_factory=list)


class Curves:
    """Every metric's points with the times at which a session that started at `start` logged them."""

    def __init__(self, start: datetime, earlier_seconds: float, t_max: int) -> None:
        """Begin without points; of runs with more than `MAX_POINTS` steps, one point for each such part is kept."""
        self.series: dict[str, Series] = {}
        self._origin = start - timedelta(seconds=earlier_seconds)
        self._cell = t_max / MAX_POINTS
        self._last_cell: dict[str, int] = {}

    def add(self, records: Iterable[Record]) -> "Curves":
        """Append what was logged next."""
        for record in records:
            moment = in_milliseconds(self._origin + timedelta(seconds=record.wall_time))
            for name, value in record.metrics.items():
                if not self._is_kept(name, record.t_env):
                    continue
                series = self.series.setdefault(name, Series())
                series.steps.append(record.t_env)
                series.values.append(value)
                series.timestamps.append(moment)
        return self

    def _is_kept(self, name: str, t_env: int) -> bool:
        if self._cell <= 1:
            return True
        cell = int(t_env / self._cell)
        if self._last_cell.get(name) == cell:
            return False
        self._last_cell[name] = cell
        return True


@dataclass(frozen=True)
class Session:
    """What Sacred's files say of one session.

    Attributes:
        document: the run's document, without what only the database knows (`_id`, `info`, `artifacts`).
        artifacts: name to file.
        sources: name to the file that holds its copy.
        metrics: the file with the session's points, and whether it has all of them: what an earlier session
            logged before it was killed is known from Sacred's thinned `metrics.json` alone.
    """

    document: dict[str, Any]
    artifacts: dict[str, Path]
    sources: dict[str, Path]
    metrics: Path
    complete: bool

    @property
    def status(self) -> str:
        return self.document["status"]

    def new_curves(self) -> Curves:
        """Curves with this session's clock, still without points."""
        document = self.document
        return Curves(
            document["start_time"],
            document["meta"].get("earlier_seconds", 0.0),
            document["config"].get("t_max", 0),
        )

    def curves(self) -> Curves:
        """The session's points, from its file.

        Raises:
            UserError: the file is damaged or missing.
        """
        if self.metrics.suffix == ".jsonl":
            return self.new_curves().add(read_metrics(self.metrics) if self.metrics.is_file() else [])
        curves = self.new_curves()
        for name, points in (_read_json(self.metrics) if self.metrics.is_file() else {}).items():
            times = [in_milliseconds(datetime.fromisoformat(moment)) for moment in points["timestamps"]]
            curves.series[name] = Series(points["steps"], [float(value) for value in points["values"]], times)
        return curves


def session_numbers(folder: RunFolder) -> list[int]:
    """The sessions that Sacred has a record of, oldest first."""
    if not folder.sacred.is_dir():
        return []
    return sorted(int(child.name) for child in folder.sacred.iterdir() if child.name.isdecimal())


def read_session(folder: RunFolder, number: int, *, live: bool = False) -> Session:
    """Session `number` of a run.

    Args:
        folder: the run's.
        number: one of `session_numbers`.
        live: the session is going on in this process. Otherwise the run's own status.json decides how its last
            session ended, should Sacred's record have been left open.

    Raises:
        UserError: a file of the record is missing or damaged.
    """
    place = folder.sacred / str(number)
    run = _read_json(place / "run.json")
    kept = run.pop("artifacts", [])
    sources = {name: folder.sacred / copy for name, copy in run["experiment"].get("sources", [])}
    last = number == session_numbers(folder)[-1]
    run |= {key: _as_time(run[key]) for key in _TIMES if run.get(key)}
    if last and not live and run["status"] == "RUNNING":
        run |= _ending(folder)
    document = {
        "format": FORMAT,
        "config": _read_json(place / "config.json"),
        "captured_out": "",
        "heartbeat": None,
        **run,
    }
    artifacts = {name: place / name for name in kept}
    if last and not live and not kept:  # the session was killed: its files lie where it wrote them
        own = (folder.console, folder.metrics, folder.curve, folder.provenance)
        artifacts = {path.name: path for path in own if path.is_file()}
    if "metrics.jsonl" in kept:
        return Session(document, artifacts, sources, place / "metrics.jsonl", complete=True)
    metrics = folder.metrics if last else place / "metrics.json"
    return Session(document, artifacts, sources, metrics, complete=last)


def in_milliseconds(moment: datetime) -> datetime:
    """`moment` as MongoDB keeps it: UTC without saying so, and cut to milliseconds."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _as_time(text: str) -> datetime:
    return in_milliseconds(datetime.fromisoformat(text))


def _ending(folder: RunFolder) -> dict[str, Any]:
    """How the run itself says that its last session ended; nothing when it was killed."""
    try:
        status = _read_json(folder.status)
        if status["state"] != "RUNNING":
            return {"status": status["state"], "stop_time": _as_time(status["last_update"])}
    except (UserError, KeyError, TypeError, ValueError):
        pass  # without its status file a run is what Sacred says
    return {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from error
