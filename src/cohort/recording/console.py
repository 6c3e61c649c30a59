"""What a person sees, and the same in a file."""

import os
import re
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TextIO

import rich.console

from cohort.recording.credentials import without_credentials

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


class Console:
    """Prints to a stream and repeats it, plain and with the time of day, in `console.log`.

    A terminal that closes or a pipe that breaks ends the printing, not the run. Any thread may print.
    """

    def __init__(self, stream: TextIO | None = None, label: str = "") -> None:
        """Print to `stream` (default: standard output). Lines wait until `open_log` names the file.

        With a `label`, which begins every line that is printed, the stream is shared: nothing is redrawn there.
        """
        self.stream = stream or sys.stdout or open(os.devnull, "w")  # noqa: SIM115 (`>&-` closes standard output)
        self._label = label
        self.terminal = (
            rich.console.Console(file=self.stream, force_terminal=True)
            if _is_live(self.stream) and not label
            else None
        )
        self._log: TextIO | None = None
        self._waiting: list[str] | None = []  # None once there is, or was, a log
        self._connected = True
        self._lock = threading.RLock()

    def open_log(self, path: Path) -> None:
        """Repeat everything in `path`, also what was printed before; a resumed run appends."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
            try:
                self._log = open(path, "a", encoding="utf-8", errors="replace")  # noqa: SIM115
            except OSError as error:
                self._lose_log(error)
            for line in waiting or []:
                self._write_log(line)

    def print(self, text: str = "") -> None:
        """Print `text` and repeat it in the log. Passwords in it become ***."""
        with self._lock:
            text = without_credentials(text)
            self._write_stream(text)
            self.log_only(text)

    def log_only(self, text: str) -> None:
        """Put `text` into the log alone, as for a traceback that Python prints itself."""
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        with self._lock:
            for line in plain(without_credentials(text)).split("\n"):
                self._write_log(f"{now}  {line}".rstrip())

    def disconnect(self) -> None:
        """Stop printing: the terminal or pipe is gone. The log goes on."""
        self._connected = False
        self.terminal = None
        if self.stream is sys.stdout:
            # Python flushes standard output at its exit and would fail there on the broken pipe.
            _point_at_nothing(self.stream)

    def close(self) -> None:
        """Close the log."""
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def _write_stream(self, text: str) -> None:
        if not self._connected:
            return
        text = "\n".join(f"{self._label}{line}" for line in text.split("\n"))
        try:
            if self.terminal is not None:
                self.terminal.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                self.stream.write(_encodable(plain(text), self.stream) + "\n")
                self.stream.flush()
        except (OSError, ValueError):
            self.disconnect()

    def _write_log(self, line: str) -> None:
        if self._log is None:
            if self._waiting is not None:
                self._waiting.append(line)
            return
        try:
            self._log.write(line + "\n")
            self._log.flush()
        except (OSError, ValueError) as error:
            self._lose_log(error)

    def _lose_log(self, error: Exception) -> None:
        self._log = None
        self._write_stream(f"console.log is lost ({error}). The run goes on.")


def plain(text: str) -> str:
    """`text` without control characters, for files and pipes."""
    return _ESCAPES.sub("", text)


def _is_live(stream: TextIO) -> bool:
    """Whether lines can be redrawn. Asked here because FORCE_COLOR makes rich take a pipe for a terminal."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _point_at_nothing(stream: TextIO) -> None:
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        pass  # a stream without a file behind it has nothing to flush at the exit
