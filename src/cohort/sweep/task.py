"""What the process of one run of a sweep is told, and how it is started."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

# What such a process does is above the command line, which it calls: cohort/sweep_child.py.
_CODE = (
    "import json, sys; task = json.loads(sys.argv[1]); sys.path[:] = task.pop('path'); "
    "from cohort.sweep_child import Task, main; sys.exit(main(Task(**task), int(sys.argv[2])))"
)
BUSY = 75  # its exit status when it has waited for its predecessor in vain (sysexits' EX_TEMPFAIL)


@dataclass(frozen=True)
class Task:
    """One session of one run.

    Attributes:
        words: what follows `run.py`.
        folder: the run's folder, if it has begun before.
        output: the file for what it prints; whoever works on the run holds a lock on it.
        superseded: where a folder goes that cannot be resumed.
        program: what one types to start the sweep, `python run.py` or `cohort`.
    """

    words: tuple[str, ...]
    folder: str | None
    output: str
    superseded: str
    program: str = "python run.py"


def as_arguments(task: Task) -> list[str]:
    """The arguments of a Python that does `task`; the number of its parent process is to follow."""
    return ["-c", _CODE, json.dumps({**asdict(task), "path": [str(place) for place in sys.path]})]


def start_child(
    arguments: list[str], output: str, directory: str, environment: dict[str, str]
) -> subprocess.Popen:
    """A process in a session of its own: a terminal's Ctrl-C is its sweep's to pass on."""
    with open(output, "ab") as file:
        return subprocess.Popen(
            [sys.executable, *arguments, str(os.getpid())], cwd=directory, env=os.environ | environment,
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
