"""Signals become requests."""

import os
import signal
import threading
import time

import pytest

from cohort.recording.stop import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_a_request_the_second_an_interrupt(number: signal.Signals) -> None:
    before = {watched: signal.getsignal(watched) for watched in (signal.SIGINT, signal.SIGTERM)}
    with stop_on_signals() as stop:
        assert not stop.requested
        assert stop.signal_name is None
        os.kill(os.getpid(), number)
        assert stop.requested
        assert stop.signal_name == number.name
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert {watched: signal.getsignal(watched) for watched in before} == before


def test_a_termination_that_arrives_twice_is_one_and_a_later_one_is_another(monkeypatch) -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        later = time.monotonic() + 2
        monkeypatch.setattr("cohort.recording.stop.time.monotonic", lambda: later)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_return_after_a_failure() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="broken"), stop_on_signals():
        raise ValueError("broken")
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_nothing_is_touched() -> None:
    seen = []

    def work() -> None:
        with stop_on_signals() as stop:
            seen.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
