"""One session and the next: what the training loop sees of the record."""

import io
import json
import multiprocessing
import threading
from collections.abc import Sequence

import pytest

from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint, save_atomically
from cohort.recording.console import Console
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import DISCARDED, Record, read_metrics
from cohort.recording.progress import Progress
from cohort.recording.recorder import Recorder


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Listening:
    """A mirror that remembers; one that breaks at a step if told so."""

    name = "Listening"

    def __init__(self, breaks_at: int | None = None) -> None:
        self.breaks_at = breaks_at
        self.earlier: list[int] = []
        self.seen: list[int] = []
        self.closed = 0

    def begin(self, earlier: Sequence[Record]) -> None:
        self.earlier = [record.t_env for record in earlier]

    def log(self, record: Record) -> None:
        if record.t_env == self.breaks_at:
            raise ConnectionError("gone")
        self.seen.append(record.t_env)

    def close(self) -> None:
        self.closed += 1


def new_recorder(folder: RunFolder, clock: Clock, *mirrors: Listening) -> tuple[Recorder, io.StringIO]:
    stream = io.StringIO()
    console = Console(stream)
    return Recorder(folder, console, Progress(console, 1000, clock), mirrors, clock), stream


def status(folder: RunFolder) -> dict[str, object]:
    return json.loads(folder.status.read_text())


def test_session_is_recorded_mirrored_shown_and_closed(folder: RunFolder) -> None:
    clock, mirror, threads = Clock(), Listening(), set(threading.enumerate())
    recorder, stream = new_recorder(folder, clock, mirror)
    assert status(folder)["state"] == "RUNNING"
    clock.now += 2
    recorder.log(100, 10, 5, {"return_mean": 1.0, "loss": 0.5})
    clock.now += 2
    recorder.log(200, 20, 9, {"return_mean": 2.0, "test_return_mean": 4.0})
    recorder.close("COMPLETED")
    recorder.close("FAILED")
    first, second = read_metrics(folder.metrics)
    assert first == Record(100, 10, 5, 2.0, {"return_mean": 1.0, "loss": 0.5})
    assert second.wall_time == 4.0
    assert mirror.seen == [100, 200]
    assert mirror.earlier == []
    assert mirror.closed == 1
    assert stream.getvalue().count("\n") == 2
    assert recorder.results() == {"test_return_mean": 4.0, "return_mean": 2.0}
    now = status(folder)
    assert (now["state"], now["t_env"], now["updates"], now["wall_seconds"]) == ("COMPLETED", 200, 20, 4.0)
    assert set(threading.enumerate()) <= threads
    assert not multiprocessing.active_children()
    assert sorted(child.name for child in folder.root.iterdir()) == ["metrics.jsonl", "status.json"]


def test_ticks_refresh_the_status_every_few_seconds(folder: RunFolder) -> None:
    clock = Clock()
    recorder, _ = new_recorder(folder, clock)
    clock.now += 1
    recorder.tick(10, 1, 1)
    assert status(folder)["t_env"] == 0
    clock.now += 5
    recorder.tick(60, 6, 1)
    assert (status(folder)["t_env"], status(folder)["updates"]) == (60, 6)
    recorder.close("COMPLETED")


def test_resume_returns_to_the_checkpoint_and_goes_on(folder: RunFolder) -> None:
    clock = Clock()
    recorder, _ = new_recorder(folder, clock)
    for t_env in (100, 200):
        clock.now += 10
        recorder.log(t_env, t_env, 1, {"test_return_mean": t_env / 10})
    save_atomically({"recorder": recorder.state_dict()}, folder.checkpoint)
    clock.now += 10
    recorder.log(300, 300, 1, {"test_return_mean": -1.0})
    recorder.close("TERMINATED")

    clock.now += 10_000
    mirror = Listening()
    recorder, stream = new_recorder(folder, clock, mirror)
    assert status(folder)["state"] == "TERMINATED", "nothing is claimed before the state is loaded"
    clock.now += 50  # building the rest of the run is nobody's training time
    recorder.load_state_dict(load_checkpoint(folder.checkpoint)["recorder"])
    assert (status(folder)["state"], status(folder)["t_env"]) == ("RUNNING", 200)
    assert mirror.earlier == [100, 200]
    assert recorder.results() == {"test_return_mean": 20.0}
    clock.now += 5
    recorder.log(350, 350, 2, {"loss": 1.0})
    recorder.close("COMPLETED")
    assert [(record.t_env, record.wall_time) for record in read_metrics(folder.metrics)] == [
        (100, 10.0),
        (200, 20.0),
        (350, 25.0),
    ]
    assert [record.t_env for record in read_metrics(folder.root / DISCARDED)] == [300]
    line = stream.getvalue().splitlines()[0]
    assert "     30 steps/s" in line, "150 steps in this session's 5 seconds"
    assert "test return   20.000" in line
    assert "left 0:00:22" in line


def test_losing_a_mirror_changes_nothing_else(folder: RunFolder) -> None:
    broken, healthy = Listening(breaks_at=200), Listening()
    recorder, stream = new_recorder(folder, Clock(), broken, healthy)
    for t_env in (100, 200, 300):
        recorder.log(t_env, 0, 0, {"return_mean": 1.0})
    recorder.close("COMPLETED")
    assert [record.t_env for record in read_metrics(folder.metrics)] == healthy.seen == [100, 200, 300]
    assert stream.getvalue().count("is lost") == 1
    assert "missed 2 of this session's 3" in stream.getvalue()


def test_unwritable_status_is_reported_once(folder: RunFolder) -> None:
    folder.status.mkdir()  # a folder in the file's place refuses to be replaced
    recorder, stream = new_recorder(folder, Clock())
    recorder.log(100, 0, 0, {"return_mean": 1.0})
    recorder.close("COMPLETED")
    assert stream.getvalue().count("status.json cannot be written") == 1
    assert len(read_metrics(folder.metrics)) == 1


def test_second_recorder_of_a_running_run_is_refused(folder: RunFolder) -> None:
    recorder, _ = new_recorder(folder, Clock())
    with pytest.raises(UserError, match="still going"):
        new_recorder(folder, Clock())
    recorder.close("COMPLETED")


class TerminatedError(Exception):
    STATUS = "TERMINATED"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "COMPLETED"),
        (ValueError, "FAILED"),
        (KeyboardInterrupt, "INTERRUPTED"),
        (TerminatedError, "TERMINATED"),
    ],
)
def test_leaving_the_block_sets_the_state(
    folder: RunFolder, error: type[BaseException] | None, state: str
) -> None:
    recorder, _ = new_recorder(folder, Clock())
    if error is None:
        with recorder:
            pass
    else:
        with pytest.raises(error), recorder:
            raise error
    assert status(folder)["state"] == state


def test_divergence_is_said_once(folder: RunFolder) -> None:
    """A return can look like a number long after the networks stopped being any."""
    recorder, stream = new_recorder(folder, Clock())
    recorder.log(100, 10, 5, {"critic_loss": 0.5})
    assert "diverged" not in stream.getvalue()
    for step in (200, 300):
        recorder.log(
            step, 20, 9, {"return_mean": 0.0, "critic_loss": float("nan"), "critic_lr": float("inf")}
        )
    recorder.close("COMPLETED")
    said = [line for line in stream.getvalue().splitlines() if "diverged" in line]
    assert len(said) == 1
    assert "diverged: critic_loss, critic_lr not finite at 200 steps" in said[0]
