"""Finds run folders and reads them as `Run`s, no more of a file than is asked for."""

import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cohort.analysis.runs import DEAD, SILENT, SILENT_AFTER, UNCLOSED, Run, Status
from cohort.errors import UserError
from cohort.program import program_name
from cohort.recording.folder import RESULTS, RunFolder
from cohort.recording.metrics import Record, read_metrics
from cohort.recording.sessions import read_sessions

TAIL = 65536  # bytes from the end of metrics.jsonl in which the last values are looked for first
DEPTH = 4  # how far below a named folder runs are looked for

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one, where there is one, is ten times as fast


class FolderRun(Run):
    """A run's own folder, the record that counts."""

    def __init__(self, root: Path) -> None:
        """`root` has a config.yaml."""
        super().__init__(root.resolve().name, str(root))
        self.folder = RunFolder(root)

    @cached_property
    def config(self) -> dict[str, Any]:
        path = self.folder.config
        try:
            config = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 (safe loaders both)
        except (OSError, yaml.YAMLError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {_first_line(error)}") from error
        if not isinstance(config, dict):
            raise UserError(f"{path} is not a configuration: it has no `key: value` lines.")
        return config

    @cached_property
    def sessions(self) -> list[dict[str, Any]]:
        try:
            return read_sessions(self.folder.provenance.read_bytes())
        except OSError:
            return []

    @cached_property
    def _told(self) -> dict[str, Any]:
        return _read_json(self.folder.status)

    @cached_property
    def status(self) -> Status:
        told = self._told
        seen = _as_time(told.get("last_update"))
        state = str(told.get("state", "?"))
        if state == "RUNNING":
            state = _state_of_process(told, seen)
            if state == DEAD and _number(told.get("t_env")) >= self.config.get("t_max", float("inf")):
                state = UNCLOSED
        return Status(
            state,
            int(_number(told.get("t_env"))),
            _number(told.get("wall_seconds")),
            seen,
        )

    @property
    def updates(self) -> int | None:
        return _count(self._told.get("updates"))

    @property
    def episode(self) -> int | None:
        return _count(self._told.get("episode"))

    @cached_property
    def records(self) -> list[Record]:
        return read_metrics(self.folder.metrics) if self.folder.metrics.is_file() else []

    @cached_property
    def recent_metrics(self) -> dict[str, float]:
        latest: dict[str, float] = {}
        for line in _last_lines(self.folder.metrics):
            try:
                values = json.loads(line)["metrics"]
                latest |= {name: float(value) for name, value in values.items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{self.folder.metrics} is damaged: {line[:80]!r} is no record of metrics."
                ) from error
        return latest

    def last_logged(self, metric: str) -> float | None:
        if metric in self.recent_metrics:
            return self.recent_metrics[metric]
        if not self.folder.metrics.is_file() or self.folder.metrics.stat().st_size <= TAIL:
            return None
        values = [record.metrics[metric] for record in self.records if metric in record.metrics]
        return values[-1] if values else None


def find_runs(paths: Sequence[Path]) -> list[FolderRun]:
    """The runs in and below `paths`, each once, by name.

    Raises:
        UserError: a path does not exist, or there is no run below it.
    """
    found: dict[Path, FolderRun] = {}
    for path in paths:
        if not path.is_dir():
            raise UserError(
                f"There are no runs at {path}: {'it is a file' if path.exists() else 'no such folder'}."
                f"{_first_run() if path == RESULTS else ''}"
            )
        runs = [FolderRun(root) for root in _run_folders(path, DEPTH)]
        if not runs:
            raise UserError(
                f"There are no runs in {path}: no folder in or below it has a config.yaml."
                f"{_first_run() if path == RESULTS else ''}"
            )
        found |= {run.folder.root.resolve(): run for run in runs}
    return sorted(found.values(), key=lambda run: run.name)


def _first_run() -> str:
    return (
        f"\nA first one, of some minutes: {program_name()} --config=qmix --env-config=sc2_sim with "
        "env_args.map_name=3m t_max=100000"
    )


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "config.yaml").is_file():
        yield folder
    elif depth > 0:
        try:
            inner = [entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != "."]
        except PermissionError:
            return
        for name in sorted(inner):
            yield from _run_folders(folder / name, depth - 1)


def _last_lines(path: Path) -> list[bytes]:
    """The whole lines among the file's last `TAIL` bytes; more bytes where one line is longer than that."""
    try:
        with open(path, "rb") as file:
            size, length = file.seek(0, os.SEEK_END), TAIL
            while True:
                file.seek(max(0, size - length))
                lines = file.read(min(size, length)).split(b"\n")[:-1]  # the last part is empty or torn
                if length >= size:
                    return lines
                if len(lines) > 1:
                    return lines[1:]  # the first may have begun before
                length *= 4
    except FileNotFoundError:
        return []


def _state_of_process(told: dict[str, Any], seen: datetime | None) -> str:
    """The state of a run whose file says RUNNING: DEAD if its process is gone, as after a kill."""
    import psutil

    if told.get("host") != platform.node():
        silent = seen is not None and datetime.now().astimezone() - seen > SILENT_AFTER
        return SILENT if silent else "RUNNING"
    try:
        process = psutil.Process(int(told["pid"]))
        # The number may have been given to another process since.
        reused = seen is not None and process.create_time() > seen.timestamp() + 1
        return DEAD if reused or process.status() == psutil.STATUS_ZOMBIE else "RUNNING"
    except psutil.NoSuchProcess:
        return DEAD
    except (psutil.Error, KeyError, TypeError, ValueError):
        return "RUNNING"


def _read_json(path: Path) -> dict[str, Any]:
    """A small file of a run; empty where it is missing or damaged, so that one bad file does not stop a list."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(value: Any) -> float:
    """A finite number of a damaged file, or 0: what a list shows of it is then at least a line."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if known else 0.0


def _count(value: Any) -> int | None:
    """A whole number of a damaged file, or None, as where it is not on record."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _as_time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (TypeError, ValueError):
        return None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
