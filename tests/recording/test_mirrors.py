"""Losing a mirror is reported and harmless; TensorBoard's events can be read back."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from cohort.errors import UserError
from cohort.recording.metrics import Record
from cohort.recording.mirrors import GuardedMirror
from cohort.recording.tensorboard_mirror import TensorBoardMirror


def record(t_env: int, **metrics: float) -> Record:
    return Record(t_env, 0, 0, 0.0, metrics)


class Failing:
    """A mirror that gives up at a step, or at its end."""

    name = "Mirror"

    def __init__(self, at: int | None = None, closing: bool = False) -> None:
        self.at, self.closing, self.seen = at, closing, []

    def begin(self, earlier: Sequence[Record]) -> None:
        self.seen.extend(one.t_env for one in earlier)

    def log(self, record: Record) -> None:
        if record.t_env == self.at:
            raise OSError("disk full")
        self.seen.append(record.t_env)

    def close(self) -> None:
        if self.closing:
            raise RuntimeError("no end")


def test_failing_mirror_is_reported_once_dropped_and_counted(said: list[str]) -> None:
    inner = Failing(at=3)
    mirror = GuardedMirror(inner, said.append)
    mirror.begin([record(0)])
    for t_env in range(1, 7):
        mirror.log(record(t_env))
    assert len(said) == 1
    assert "disk full" in said[0]
    assert "step 3" in said[0]
    mirror.close()
    mirror.close()
    assert inner.seen == [0, 1, 2]
    assert len(said) == 2
    assert "missed 4 of this session's 6" in said[1]


def test_healthy_mirror_says_nothing(said: list[str]) -> None:
    mirror = GuardedMirror(Failing(), said.append)
    mirror.begin([])
    mirror.log(record(1))
    mirror.close()
    assert said == []


def test_failure_while_closing_is_reported(said: list[str]) -> None:
    GuardedMirror(Failing(closing=True), said.append).close()
    assert len(said) == 1
    assert "while closing" in said[0]


def test_interrupt_is_not_swallowed(said: list[str]) -> None:
    class Interrupted(Failing):
        def log(self, record: Record) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GuardedMirror(Interrupted(), said.append).log(record(1))


def read_scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_tensorboard_events_read_back_and_a_resume_takes_back_the_later_ones(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    for earlier, later in (([], [10, 20, 30]), ([10, 20], [25, 40])):
        mirror = TensorBoardMirror(tmp_path / "tb")
        mirror.begin([record(t_env) for t_env in earlier])
        for t_env in later:
            mirror.log(record(t_env, return_mean=t_env / 4, loss=1.0))
        mirror.close()
    assert read_scalars(tmp_path / "tb", "return_mean") == [(10, 2.5), (20, 5.0), (25, 6.25), (40, 10.0)]
    assert set(threading.enumerate()) <= threads


def test_missing_tensorboard_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match="pip install"):
        TensorBoardMirror(tmp_path / "tb")
    assert list(tmp_path.iterdir()) == []
