"""What a run that goes on is asked for before anything of it is touched."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint
from cohort.recording.folder import RunFolder


def load_run_checkpoint(folder: RunFolder) -> dict[str, Any]:
    """The state that a run goes on from.

    Raises:
        UserError: there is none, or it is damaged; the message offers the one before it, where that is whole.
    """
    try:
        return _of_run(load_checkpoint(folder.checkpoint), folder)
    except UserError as error:
        older = _whole(folder)
        if older is None:
            raise
        copy = shlex.join(["cp", str(folder.previous_checkpoint), str(folder.checkpoint)])
        raise UserError(
            f"{error}\nThe one before it is whole, at {older['recorder']['t_env']:,} steps. To go on from there, type "
            f"this and resume again: {copy}"
        ) from error


def ended_well(folder: RunFolder) -> bool:
    """Whether the run's record was closed: a run that is killed after its last checkpoint has still to do that."""
    try:
        return json.loads(folder.status.read_bytes())["state"] == "COMPLETED"
    except (OSError, ValueError, KeyError, TypeError):
        return False


def edited(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Each key whose value differs, as `lr: 0.0005 -> 0.001`; the environment's are nested under `env_args`."""
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from (f"{key}.{line}" for line in edited(old, new))
        elif old != new:
            yield f"{key}: {old} -> {new}"


def _whole(folder: RunFolder) -> dict[str, Any] | None:
    try:
        return _of_run(load_checkpoint(folder.previous_checkpoint), folder)
    except UserError:
        return None


def _of_run(state: Any, folder: RunFolder) -> dict[str, Any]:
    """`state`, if it has what a run's checkpoint has."""
    try:
        known = all(state["recorder"][name] >= 0 for name in ("metrics_position", "wall_time", "t_env"))
        known = known and {"trainer", "done"} <= set(state)
    except (KeyError, TypeError, RuntimeError):
        known = False
    if not known:
        raise UserError(f"The checkpoint at {folder.checkpoint} holds something else than a run.")
    return state
