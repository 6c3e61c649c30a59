"""One worker process as its supervisor sees it: started, asked, waited for, and ended with all it has started."""

import json
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from cohort.envs.workers.game import GameLost, Recipe
from cohort.envs.workers.worker import DONE, LOST, RAISED, REFUSED, STEP
from cohort.errors import UserError

# The worker looks for modules where this process does. Its other arguments are the socket and the shared memory.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from cohort.envs.workers.worker import main; main()"
)
# A shell that outlives this process however it ends, be it by `killall -9 python`. It reads the worker's process
# group, then waits: a word releases it, the end of the stream means that nobody else is left to clean up.
_GUARD = 'read -r group; read -r word && exit; kill -s KILL -- "-$group"; sleep 0.2; rm -rf -- "$1"'
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_DYING = 2.0  # seconds between the end of a worker's stream and its own
_LOOK = 1.0  # seconds between two looks at whether a silent process is still there
_QUOTED = 6  # lines that an error quotes of a traceback or of the worker's output


class WorkerFailed(Exception):
    """A worker died, raised or did not answer in time; the message says which. It must be ended."""


class WorkerProcess:
    """A process group of its own with a temporary folder of its own, both guarded by a shell."""

    def __init__(self, recipe: Recipe, index: int, batch_size: int, memory: int) -> None:
        """Start it; it begins at once to build its game, whose spec is the first answer.

        Args:
            recipe: what to start and to build.
            index: the game's row of the shared memory.
            batch_size: B.
            memory: the shared memory's descriptor.
        """
        build = pickle.dumps(("build", recipe.factory, pickle.dumps(recipe.settings), index, batch_size))
        self.owed = 0  # answers that have not been read
        self._folder = Path(tempfile.mkdtemp(prefix="cohort-game-"))
        self._log = None if recipe.show_output else self._folder / "output"
        self._guard = self._process = None
        self._connection, theirs = Pipe()
        self._poller = select.poll()
        self._poller.register(self._connection, select.POLLIN)
        try:
            with theirs:
                self._start(recipe, theirs.fileno(), memory)
        except BaseException:
            self.end()
            raise
        self._send(build)

    def _start(self, recipe: Recipe, socket: int, memory: int) -> None:
        quiet = subprocess.DEVNULL
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self._folder)],
            stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True,
        )  # fmt: skip
        output = open(self._log, "wb") if self._log else None  # noqa: SIM115  closed below
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(socket), str(memory), json.dumps(list(map(str, sys.path)))],
                stdin=quiet, stdout=output, stderr=output, pass_fds=(socket, memory), start_new_session=True,
                env=os.environ | _ONE_THREAD | recipe.environment | {"TMPDIR": str(self._folder)},
            )  # fmt: skip
        finally:
            if output:
                output.close()
        self._guard.stdin.write(f"{self._process.pid}\n".encode())
        self._guard.stdin.flush()

    def ask_to_step(self) -> None:
        self._send(STEP)

    def ask(self, operation: str, *arguments: Any) -> None:
        """Have it call one of the methods of `worker._Worker`; `answer` brings the result."""
        self._send(pickle.dumps((operation, *arguments)))

    def _send(self, message: bytes) -> None:
        self.owed += 1
        with suppress(BrokenPipeError, ConnectionResetError):  # it is dead: `answer` will say so
            self._connection.send_bytes(message)

    def answer(self, seconds: float, since: float) -> Any:
        """The next answer, waited for until `seconds` after the moment `since` of the monotonic clock.

        Raises:
            GameLost: the game says that its episode is spoiled.
            UserError: it says what the user has to type instead.
            WorkerFailed: there is no answer, or it is an error.
        """
        self._await_answer(seconds, since)
        try:
            message = self._connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            raise WorkerFailed(self._how_it_died()) from None
        self.owed -= 1
        if message == DONE:
            return None
        kind, value = pickle.loads(message)
        if kind == LOST:
            raise GameLost(value)
        if kind == REFUSED:
            raise UserError(value)
        if kind == RAISED:
            raise WorkerFailed(f"it raised an exception.\n{_last_lines(value)}{self._last_output()}")
        return value

    def _await_answer(self, seconds: float, since: float) -> None:
        while not self._poller.poll(1000 * max(0.0, min(_LOOK, since + seconds - time.monotonic()))):
            if self._process.poll() is not None:  # something that it started may hold the stream open
                raise WorkerFailed(self._how_it_died())
            if time.monotonic() >= since + seconds:
                raise WorkerFailed(f"it did not answer within {seconds:g} s.{self._last_output()}")

    def _how_it_died(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_DYING)
        code = self._process.returncode
        if code is None:
            return f"its process closed the connection.{self._last_output()}"
        if code < 0:
            return (
                f"its process was killed by signal {-code} ({signal.strsignal(-code)}).{self._last_output()}"
            )
        return f"its process ended with status {code}.{self._last_output()}"

    def _last_output(self) -> str:
        if self._log is None:
            return ""
        with suppress(OSError), self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 4000))
            if text := log.read().decode(errors="replace").strip():
                return f"\nIts last output:\n{_last_lines(text)}"
        return ""

    def part(self) -> bool:
        """Ask it to end by itself; whether it is free to listen."""
        if self.owed:
            return False
        self.ask("close")
        return True

    def await_end(self, seconds: float) -> None:
        """Wait until it has ended by itself, for at most `seconds`."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, seconds))

    def end(self) -> None:
        """Kill the whole process group, whose number is its leader's, and remove the temporary folder.

        Whoever could still listen has been asked before (`part`); there is nothing left to be gentle with. Harmless
        when repeated, as after an interrupt.
        """
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._guard is not None and not self._guard.stdin.closed:
            with suppress(BrokenPipeError):
                self._guard.communicate(b"released\n")


def _last_lines(text: str) -> str:
    return textwrap.indent("\n".join(line[-300:] for line in text.splitlines()[-_QUOTED:]), "  ")
