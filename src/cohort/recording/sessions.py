"""What `provenance.json` says of a run's sessions, read as a file that anybody may have edited."""

import json
from collections.abc import Mapping
from datetime import datetime
from types import NoneType
from typing import Any

_KINDS: dict[str, type] = {
    "started": str,
    "command": str,
    "git": dict,
    "source_hash": str,
    "python": str,
    "packages": dict,
    "platform": str,
    "hostname": str,
    "cpu": str,
    "cpu_count": int,
    "cpu_usable": int,
    "gpus": list,
    "torch_threads": int,
    "environment": dict,
}
_GIT: dict[str, type] = {"url": str, "commit": str, "dirty": bool, "diff_hash": str}


def read_sessions(content: bytes | str) -> list[dict[str, Any]]:
    """Every session, oldest first, without what is not of the kind that a session writes."""
    try:
        sessions = json.loads(content)["sessions"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(sessions, list):
        return []
    return [_checked(session) for session in sessions if isinstance(session, dict)]


def _checked(session: Mapping[str, Any]) -> dict[str, Any]:
    known = _of_kinds(session, _KINDS)
    if known.get("git"):
        known["git"] = _of_kinds(known["git"], _GIT)
    if known.get("gpus"):
        known["gpus"] = [str(name) for name in known["gpus"]]
    if not _is_time(known.get("started")):
        known.pop("started", None)
    return known


def _of_kinds(found: Mapping[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    return {
        key: found[key]
        for key, kind in kinds.items()
        if key in found and type(found[key]) in (kind, NoneType)
    }


def _is_time(text: str | None) -> bool:
    try:
        datetime.fromisoformat(text or "")
    except ValueError:
        return False
    return True
