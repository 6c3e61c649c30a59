"""What became of each run of a sweep: one line per change, so that no kill loses more than the last of them."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from cohort.errors import UserError

State = Literal["waiting", "running", "completed", "failed", "interrupted"]


@dataclass(frozen=True)
class Entry:
    """Where one run stands.

    Attributes:
        state: of the run.
        folder: its folder, relative to the folder that holds the sweep's; None before it has one.
        reason: why it failed or was interrupted.
    """

    state: State = "waiting"
    folder: str | None = None
    reason: str = ""


class Journal:
    """Appends to `runs.jsonl` and remembers the last line of each run. Use as a context manager."""

    def __init__(self, path: Path, runs: int) -> None:
        """Open the journal of a sweep of `runs` runs for this process alone, cutting a torn last line.

        Raises:
            UserError: another process runs this sweep, or a line is no entry.
        """
        self._file = open(path, "a+b")  # noqa: SIM115
        try:
            self._refuse_second_writer(path)
            self.entries = self._read(path, runs)
        except BaseException:
            self._file.close()
            raise

    def note(self, number: int, entry: Entry, **more: Any) -> None:
        """Write down where run `number` (from 0; 1 in the file) stands; `more` is for people who read the file."""
        if entry == self.entries[number] and not more:
            return
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        line = {"run": number + 1, **asdict(entry), **more, "time": now}
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        self.entries[number] = entry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _refuse_second_writer(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path.parent} is still going: another process runs this sweep.") from None
        except OSError:
            pass  # a network file system without locks: nothing to ask, and no reason not to go on

    def _read(self, path: Path, runs: int) -> list[Entry]:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # the line that a kill cut off: its change will be found out again
            self._file.truncate(whole)
        entries = [Entry()] * runs
        for place, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                fields = json.loads(line)
                number = fields["run"] - 1
                if not 0 <= number < runs or fields["state"] not in State.__args__:
                    raise ValueError("no such run or state")
                entries[number] = Entry(fields["state"], fields["folder"], fields["reason"])
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"Line {place} of {path} is no entry of a sweep's journal: {error!r}"
                ) from error
        return entries
