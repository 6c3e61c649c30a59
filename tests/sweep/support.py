"""Sweeps of tiny runs as real processes, and reading what they left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests import harness
from tests.sweep.trouble import VARIABLE

RUN = (
    f"{harness.TINY} learner=tests.sweep.trouble:TroubledLearner t_max=96 test_interval=48 log_interval=12 "
    "checkpoint_interval=12"
)
FINISHED = "96 of 96"


class Place:
    """A results folder and a folder of troubles."""

    def __init__(self, root: Path, trouble: Path | None = None) -> None:
        self.results, self.trouble = root / "results", trouble or root / "trouble"
        self.trouble.mkdir(exist_ok=True)
        self.environment = {VARIABLE: str(self.trouble), "COLUMNS": "200"}

    def words(self, *options: str, typed: str, config: str = "vdn") -> list[str]:
        """A command line for tiny runs that obey the troubles."""
        more = f"{RUN} local_results_path={self.results} {typed}"
        return [f"--config={config}", "--env-config=matrix_games", *options, "with", *more.split()]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(harness.ROOT / "run.py"), *words],
            cwd=harness.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | self.environment,
        )  # fmt: skip

    @property
    def sweep(self) -> Path:
        (folder,) = self.results.glob("sweep__*")
        return folder

    @property
    def runs(self) -> list[Path]:
        return sorted(path for path in self.results.iterdir() if not path.name.startswith("sweep__"))

    def journal(self) -> dict[int, dict]:
        """The last line of each run, by its number from 1; what came earlier and is not said again included."""
        last: dict[int, dict] = {}
        paths = list(self.results.glob("sweep__*/runs.jsonl"))
        for line in paths[0].read_bytes().splitlines(keepends=True) if paths else ():
            if line.endswith(b"\n"):
                entry = json.loads(line)
                last[entry["run"]] = {**last.get(entry["run"], {}), **entry}
        return last

    def states(self) -> list[str]:
        return [entry["state"] for _, entry in sorted(self.journal().items())]

    def folder(self, number: int) -> Path | None:
        name = self.journal().get(number, {}).get("folder")
        return self.results / name if name else None

    def has_checkpoint(self, number: int) -> bool:
        folder = self.folder(number)
        return folder is not None and (folder / "checkpoint.pt").is_file()

    def table(self) -> list[list[str]]:
        """The rows of summary.txt's first table, as words."""
        text = (self.sweep / "summary.txt").read_text()
        return [line.split() for line in text.split("\n\n")[0].splitlines()[1:]]


def wait_for(
    condition: Callable[[], bool], process: subprocess.Popen | None = None, seconds: float = 120
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if process is not None:
            assert process.poll() is None, f"ended too early: {process.communicate()[0]}"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ends(process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str]:
    """Exit status and output."""
    output, _ = process.communicate(timeout=seconds)
    assert "Traceback" not in output
    return process.returncode, output


def kill(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """SIGKILL for one process; its children at that moment."""
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return children
