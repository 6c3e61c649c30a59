"""Stopping cleanly when asked by a signal."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WATCHED = (signal.SIGINT, signal.SIGTERM)
_ECHO = (
    1.0  # seconds: one SIGTERM may arrive twice, through the process group or from a parent's dying threads
)


class Stop:
    """Whether someone asked the run to stop; the training loop looks after every iteration."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.signal_name: str | None = None
        self._since = 0.0

    @property
    def requested(self) -> bool:
        """Whether to save, close the record and leave."""
        return self.signal_name is not None

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Take a first signal as a request; a second means now, whatever is lost."""
        name, now = signal.Signals(number).name, time.monotonic()
        if not self.requested:
            self.signal_name, self._since = name, now
        elif not (name == self.signal_name == "SIGTERM" and now - self._since < _ECHO):
            raise KeyboardInterrupt


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a request; the earlier handlers return on leaving.

    Outside the main thread, where Python lets no one listen to signals, the request simply never comes.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.receive) for number in _WATCHED}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
