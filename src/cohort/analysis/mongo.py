"""Runs in MongoDB as `Run`s; `cohort.recording.mongo` describes how they are stored."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohort.analysis.runs import SILENT, SILENT_AFTER, Run, Status
from cohort.errors import UserError
from cohort.recording.info import as_configured
from cohort.recording.metrics import Record, read_metrics
from cohort.recording.mongo.target import MongoTarget
from cohort.recording.sessions import read_sessions

if TYPE_CHECKING:
    from pymongo.database import Database

_FIELDS = ("config", "status", "start_time", "stop_time", "heartbeat", "meta", "host", "artifacts")


class MongoRun(Run):
    """All sessions of one run folder. The last has the whole curve, so only its points are read."""

    def __init__(self, store: "_Store", documents: Sequence[dict[str, Any]]) -> None:
        """`documents`: the run's sessions, oldest first."""
        last = documents[-1]
        super().__init__(
            last["meta"].get("run_folder", f"run {last['_id']}"), f"{store.place} run {last['_id']}"
        )
        self._store = store
        self._documents = documents
        self._document = last

    @property
    def config(self) -> dict[str, Any]:
        return as_configured(self._document["config"])

    @cached_property
    def sessions(self) -> list[dict[str, Any]]:
        content = self._store.artifact(self._document, "provenance.json")
        whole = read_sessions(content) if content else []
        if len(whole) == len(self._documents):
            return whole
        return [_session(document) for document in self._documents]

    @cached_property
    def status(self) -> Status:
        document = self._document
        seen = document.get("heartbeat") or document.get("stop_time") or document["start_time"]
        seen = seen.replace(tzinfo=UTC)
        silent = document["status"] == "RUNNING" and datetime.now(UTC) - seen > SILENT_AFTER
        step, moment = self._store.ends.get(document["_id"], (0, document["start_time"]))
        return Status(
            SILENT if silent else document["status"],
            step,
            (moment - self._origin).total_seconds(),
            seen.astimezone(),
        )

    @property
    def updates(self) -> int | None:
        return self.records[-1].updates if self._is_whole and self.records else None

    @property
    def episode(self) -> int | None:
        return self.records[-1].episode if self._is_whole and self.records else None

    @cached_property
    def records(self) -> list[Record]:
        content = self._store.artifact(self._document, "metrics.jsonl") if self._is_whole else None
        if content is None:
            return self._store.records(self._document["_id"], self._origin)
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            file.write(content)
            file.flush()
            return read_metrics(Path(file.name))

    @property
    def recent_metrics(self) -> dict[str, float]:
        return self._store.last_values.get(self._document["_id"], {})

    def last_logged(self, metric: str) -> float | None:
        return self.recent_metrics.get(metric)

    @property
    def _is_whole(self) -> bool:
        """Whether the run's own file of metrics is there: it is sent when a session has ended."""
        names = [artifact["name"] for artifact in self._document.get("artifacts", [])]
        return "metrics.jsonl" in names and self._document["status"] != "RUNNING"

    @property
    def _origin(self) -> datetime:
        """When the run would have started if it had never paused; timestamps count from there."""
        earlier = self._document["meta"].get("earlier_seconds") or 0.0
        return self._document["start_time"] - timedelta(seconds=earlier)


class _Store:
    """The database. What all runs need is read with one query. A lost server is a `UserError`."""

    def __init__(self, target: MongoTarget) -> None:
        self.place = f"{target.place}/{target.database}"
        self._target = target
        self._database: Database[dict[str, Any]] = target.connect()

    def documents(self) -> list[dict[str, Any]]:
        """Every session's document, oldest first."""
        with self._explained():
            return list(self._database["runs"].find({}, dict.fromkeys(_FIELDS, 1)).sort("start_time", 1))

    @cached_property
    def _latest(self) -> list[dict[str, Any]]:
        last = {key: {"$arrayElemAt": [f"${key}", -1]} for key in ("steps", "values", "timestamps")}
        with self._explained():
            return list(self._database["metrics"].aggregate([{"$project": {"run_id": 1, "name": 1, **last}}]))

    @cached_property
    def last_values(self) -> dict[Any, dict[str, float]]:
        """Run number to the last value of every metric."""
        values: dict[Any, dict[str, float]] = {}
        for one in self._latest:
            if one.get("values") is not None:
                values.setdefault(one["run_id"], {})[one["name"]] = float(one["values"])
        return values

    @cached_property
    def ends(self) -> dict[Any, tuple[int, datetime]]:
        """Run number to the environment step and the moment of its last point."""
        ends: dict[Any, tuple[int, datetime]] = {}
        for one in self._latest:
            if one.get("steps") is not None:
                end = (int(one["steps"]), one["timestamps"])
                ends[one["run_id"]] = max(ends.get(one["run_id"], end), end)
        return ends

    def artifact(self, document: dict[str, Any], name: str) -> bytes | None:
        """An artifact's content; None if it is not there."""
        from gridfs import GridFS, NoFile

        for artifact in document.get("artifacts", []):
            if artifact["name"] == name:
                with self._explained(), suppress(NoFile):
                    return GridFS(self._database).get(artifact["file_id"]).read()
        return None

    def records(self, number: Any, origin: datetime) -> list[Record]:
        """A run's points as lines of metrics; updates and episodes are not there and are 0."""
        moments: dict[tuple[int, datetime], dict[str, float]] = {}
        with self._explained():
            found = list(self._database["metrics"].find({"run_id": number}))
        for one in found:
            for step, value, moment in zip(one["steps"], one["values"], one["timestamps"], strict=False):
                moments.setdefault((int(step), moment), {})[one["name"]] = float(value)
        return [
            Record(step, 0, 0, (moment - origin).total_seconds(), metrics)
            for (step, moment), metrics in sorted(moments.items())
        ]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from pymongo.errors import PyMongoError

        try:
            yield
        except PyMongoError as error:
            raise UserError(self._target.explain(error)) from None


def find_mongo_runs(target: MongoTarget) -> list[MongoRun]:
    """All runs in a database, by name. Records that are not Cohort's or have no configuration are left out.

    Raises:
        UserError: the server cannot be reached, or the database holds no runs.
    """
    store = _Store(target)
    groups: dict[Any, list[dict[str, Any]]] = {}
    for document in store.documents():
        if isinstance(document.get("config"), dict) and document.get("start_time"):
            document.setdefault("meta", {})
            groups.setdefault(document["meta"].get("run_folder", document["_id"]), []).append(document)
    if not groups:
        raise UserError(f"There are no runs in the database {target.database!r} at {target.place}.")
    return sorted((MongoRun(store, group) for group in groups.values()), key=lambda run: run.name)


def _session(document: dict[str, Any]) -> dict[str, Any]:
    """What a run's document says of where it comes from, while its provenance.json is not there."""
    host, meta = document.get("host") or {}, document["meta"]
    return {
        "started": document["start_time"].replace(tzinfo=UTC).astimezone().isoformat(timespec="seconds"),
        "command": meta.get("typed_command"),
        "environment": meta.get("environment") or {},
        "hostname": host.get("hostname"),
        "python": host.get("python_version"),
    }
