"""Runs kept for other machines: their record alone, as a folder that every reading command takes.

A checkpoint, models and videos are megabytes and stay where they are. Configuration, metrics, status and provenance are
some kilobytes: small enough to be committed beside a paper's figures, or to be sent.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from cohort.analysis.output import write_file
from cohort.analysis.runs import Run
from cohort.errors import UserError
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import line_of

_ABSOLUTE = re.compile(r"(?<![^\s=,'\"\[])(?:file://)?(?:/[^\s=,'\"\]/]+)*/([^\s=,'\"\]/]*)")


def keep_run(run: Run, destination: Path) -> None:
    """Write the record of `run` to a folder of its name in `destination`, in place of one kept before.

    Paths keep their last part alone, and the machine's name is left out.

    Raises:
        UserError: the run still goes on, or the folder cannot be written.
    """
    if run.status.state == "RUNNING":
        raise UserError(
            f'{run.name} still goes on. Keep it when it has ended, or leave it out: --where "status != RUNNING".'
        )
    folder = RunFolder(destination / run.name)
    _write(folder.config, yaml.safe_dump(_elsewhere(dict(run.config)), sort_keys=False, allow_unicode=True))
    _write(folder.provenance, _json({"sessions": [_session(session) for session in run.sessions]}))
    _write(folder.status, _json(_status(run)))
    write_file(folder.metrics, lambda file: file.writelines(map(line_of, run.records)))


def _status(run: Run) -> dict[str, Any]:
    """What `FolderRun` reads; counts that are not on record are left out."""
    status = run.status
    told = {
        "state": status.state,
        "t_env": status.t_env,
        "updates": run.updates,
        "episode": run.episode,
        "wall_seconds": status.wall_seconds,
        "last_update": status.seen.isoformat(timespec="seconds") if status.seen else None,
    }
    return {key: value for key, value in told.items() if value is not None}


def _session(session: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in session.items() if key != "hostname"}
    if kept.get("git"):
        kept["git"] = {key: value for key, value in kept["git"].items() if key != "url"}
    return _elsewhere(kept)


def _elsewhere(value: Any) -> Any:
    """A value as another machine may read it: of an absolute path, also inside a command, the last part."""
    if isinstance(value, str):
        return _ABSOLUTE.sub(r"\1", value)
    if isinstance(value, dict):
        return {key: _elsewhere(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_elsewhere(inner) for inner in value]
    return value


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    write_file(path, lambda file: file.write(text.encode()))
