"""The process of one run of a sweep: it goes on where an earlier one stopped, and ends with its sweep.

Everything else is imported late: the process first ties itself to its sweep.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

from cohort.sweep.task import BUSY, Task

PREDECESSOR_SECONDS = 120.0  # how long one that is still saving is waited for
_PR_SET_PDEATHSIG = 1


def main(task: Task, parent: int) -> int:
    """Do the task; the exit status."""
    _end_with(parent)
    from cohort.errors import UserError

    lock = _locked(Path(task.output))
    if lock is None:
        print("error: an earlier process of this run is still going. Stop it first.", file=sys.stderr)
        return BUSY
    try:
        words = _words_to_go_on(task)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if words is None:
        return 0
    sys.argv = [task.program.split()[-1], *words]  # what the run's record says was typed
    from cohort.cli import main as run

    with lock:
        return run(words)


def _end_with(parent: int) -> None:
    """Have the system send SIGTERM, on which a run saves and stops, when the process that started this one dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before
        sys.exit(143)


def _locked(output: Path) -> BinaryIO | None:
    """The output file, locked: an earlier process of this run may still be saving, as after a kill of the sweep.

    None when that one does not end in time.
    """
    lock = open(output, "ab")  # noqa: SIM115  the caller closes it
    deadline = time.monotonic() + PREDECESSOR_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                return None
            time.sleep(0.1)
        except OSError:  # a network file system without locks
            return lock


def _words_to_go_on(task: Task) -> list[str] | None:
    """`--resume` where there is a checkpoint, else the whole command; None where nothing is left to do."""
    from cohort.recording.folder import RunFolder
    from cohort.recording.resuming import ended_well

    if task.folder is None or not Path(task.folder).is_dir():
        return list(task.words)
    folder = RunFolder(Path(task.folder))
    if ended_well(folder):
        return None
    if folder.checkpoint.is_file():
        return [f"--resume={folder.root}"]
    superseded = Path(task.superseded)
    superseded.mkdir(exist_ok=True)
    shutil.move(folder.root, superseded / f"{folder.name}.{time.time_ns()}")
    return list(task.words)
