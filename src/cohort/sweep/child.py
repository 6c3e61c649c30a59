"""The process of one run of a sweep: `run.py`, which goes on where an earlier one stopped, and ends with its sweep."""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:  # imported late: the process first ties itself to its sweep
    from cohort.recording.folder import RunFolder

PROGRAM = (
    "import json, sys; task = json.loads(sys.argv[1]); sys.path[:] = task.pop('path'); "
    "from cohort.sweep.child import Task, main; sys.exit(main(Task(**task), int(sys.argv[2])))"
)
PREDECESSOR_SECONDS = 120.0  # how long one that is still saving is waited for
BUSY = 75  # exit status when it has been waited for in vain (sysexits' EX_TEMPFAIL)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Task:
    """One session of one run.

    Attributes:
        words: what follows `run.py`.
        folder: the run's folder, if it has begun before.
        output: the file for what it prints; whoever works on the run holds a lock on it.
        superseded: where a folder goes that cannot be resumed.
    """

    words: tuple[str, ...]
    folder: str | None
    output: str
    superseded: str


def as_arguments(task: Task) -> list[str]:
    """The arguments of a Python that does `task`; the number of its parent process is to follow."""
    return ["-c", PROGRAM, json.dumps({**asdict(task), "path": [str(place) for place in sys.path]})]


def start_child(
    arguments: list[str], output: str, directory: str, environment: dict[str, str]
) -> subprocess.Popen:
    """A process in a session of its own: a terminal's Ctrl-C is its sweep's to pass on."""
    with open(output, "ab") as file:
        return subprocess.Popen(
            [sys.executable, *arguments, str(os.getpid())], cwd=directory, env=os.environ | environment,
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip


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
    sys.argv = ["run.py", *words]  # what the run's record says was typed
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

    if task.folder is None or not Path(task.folder).is_dir():
        return list(task.words)
    folder = RunFolder(Path(task.folder))
    if _is_finished(folder):
        return None
    if folder.checkpoint.is_file():
        return [f"--resume={folder.root}"]
    superseded = Path(task.superseded)
    superseded.mkdir(exist_ok=True)
    shutil.move(folder.root, superseded / f"{folder.name}.{time.time_ns()}")
    return list(task.words)


def _is_finished(folder: "RunFolder") -> bool:
    """Whether all is saved: a kill may have come while the record was being closed."""
    from cohort.analysis.folders import FolderRun
    from cohort.recording.checkpoints import load_checkpoint

    run = FolderRun(folder.root)
    if run.status.state == "COMPLETED":
        return True
    if not folder.checkpoint.is_file() or run.status.t_env < run.config["t_max"]:
        return False
    return load_checkpoint(folder.checkpoint)["recorder"]["t_env"] >= run.config["t_max"]
