"""One session of run.py as a process: started, waited for, never left alone for ever."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests import harness

PATIENCE = 900  # seconds until a session counts as hung; a busy machine may take minutes


class Hung(Exception):
    """A session did not end; its text is what it had said."""


def start(
    words: list[str],
    *,
    clock_seed: int | None = None,
    variables: Mapping[str, str] | None = None,
    **more: Any,
) -> subprocess.Popen:
    """Begin a session; with `clock_seed` on a machine whose clock jumps."""
    program = [str(harness.ROOT / "run.py")]
    if clock_seed is not None:
        program = ["-m", "tests.soak.jumping_clock", str(clock_seed)]
    return subprocess.Popen(
        [sys.executable, *program, *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=harness.ROOT,
        env=os.environ | {"PYTHONPATH": str(harness.ROOT / "src"), **(variables or {})}, **more,
    )  # fmt: skip


def end(process: subprocess.Popen) -> str:
    """Wait for its end, and give what it said."""
    try:
        return process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise Hung(process.communicate()[0]) from None
