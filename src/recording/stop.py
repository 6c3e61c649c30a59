"""Stopping cleanly when asked by a signal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether someone asked the run to stop; the training loop looks after every iteration."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.signal_name: str | None = None

    @property
    def requested(self) -> bool:
        """Whether to save, close the record and leave."""
        return self.signal_name is not None

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Take a first signal as a request; a second means now, whatever is lost."""
        if self.requested:
            raise KeyboardInterrupt
        self.signal_name = signal.Signals(number).name


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
