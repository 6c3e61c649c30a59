"""`status.json`: what a run is doing, for those who look from outside."""

import json
import os
import platform
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from cohort.recording.files import write_text_atomically

State = Literal["RUNNING", "COMPLETED", "INTERRUPTED", "TERMINATED", "DIVERGED", "FAILED"]


class StatusFile:
    """Rewrites one small file as a whole. Failing to is reported once and harms nothing."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        """Write to `path`; `report` prints one line on the console."""
        self._path = path
        self._report = report
        self._lost = False

    def write(self, state: State, *, t_env: int, updates: int, episode: int, wall_seconds: float) -> None:
        """Replace the file. A killed run leaves RUNNING there: `pid` on `host` tells whether it lives."""
        content = {
            "state": state,
            "t_env": t_env,
            "updates": updates,
            "episode": episode,
            "wall_seconds": round(wall_seconds, 3),
            "pid": os.getpid(),
            "host": platform.node(),
            "last_update": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        try:
            write_text_atomically(self._path, json.dumps(content, indent=2) + "\n", durable=False)
        except OSError as error:
            if not self._lost:
                self._report(f"status.json cannot be written ({error}). The run goes on.")
            self._lost = True
