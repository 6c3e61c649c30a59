"""Sacred's record: real types, the right ending, and no power over the run."""

import io
import json
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cohort.recording.console import Console
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import Record, read_metrics
from cohort.recording.mirrors import Mirror
from cohort.recording.origin import Origin
from cohort.recording.progress import Progress
from cohort.recording.recorder import Recorder
from cohort.recording.sacred_mirror import (
    MAX_POINTS,
    RunInterrupted,
    RunObserver,
    SacredInterrupt,
    SacredMirror,
    SacredOutcome,
    _GuardedObserver,
    record_with_sacred,
)

CONFIG = {
    "use_cuda": False,
    "lr": 1e-4,
    "seed": 3,
    "name": "qmix",
    "label": None,
    "env_args": {"map_name": "3m", "sizes": (1, 2), "a.b": Path("x"), "scale": np.float32(0.5)},
    "server": "mongodb://ann:geheim@db/runs",
}


def record_run(
    main: Callable[[Mirror], dict[str, float] | None], folder: RunFolder, said: list[str], beat: float = 10.0
) -> SacredOutcome:
    return record_with_sacred(
        main,
        config=CONFIG,
        folder=folder,
        command="python run.py --mongo=mongodb://ann:geheim@db/runs",
        name="qmix",
        t_max=1000,
        report=said.append,
        beat_seconds=beat,
    )


def sacred_file(folder: RunFolder, name: str, number: int = 1) -> Any:
    return json.loads((folder.sacred / str(number) / name).read_text())


def logged(t_env: int, **metrics: float) -> Record:
    return Record(t_env, 0, 0, 0.0, metrics)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def test_completed_run_is_whole_and_quiet(
    folder: RunFolder, said: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "geheim-env")
    threads = set(threading.enumerate())
    for artifact in (folder.console, folder.metrics, folder.curve):
        artifact.write_text("kept")

    def main(mirror: Mirror) -> dict[str, float]:
        print("said by the run")
        mirror.log(logged(100, return_mean=1.5))
        mirror.log(logged(200, return_mean=2.5, test_return_mean=float("nan")))
        mirror.close()
        return {"return_mean": np.float64(2.5)}

    assert record_run(main, folder, said) == SacredOutcome("COMPLETED", {"return_mean": 2.5}, "1")
    run = sacred_file(folder, "run.json")
    assert run["status"] == "COMPLETED"
    assert run["result"] == {"return_mean": 2.5}
    assert run["meta"]["run_folder"] == folder.name
    assert run["meta"]["session"] == 1
    assert set(run["artifacts"]) == {"console.log", "metrics.jsonl", "curve.png"}
    assert (folder.sacred / "1" / "console.log").read_text() == "kept"
    assert run["host"]["ENV"] == {}
    info = sacred_file(folder, "info.json")
    assert (info["return_mean"], info["return_mean_T"]) == ([1.5, 2.5], [100, 200])
    assert info["test_return_mean_T"] == [200]
    config = sacred_file(folder, "config.json")
    assert config["use_cuda"] is False
    assert (config["common_reward"], config["reward_scalarisation"]) == (True, "sum")  # for EPyMARL's readers
    assert config["label"] is None
    assert config["lr"] == 1e-4
    assert config["env_args"] == {"map_name": "3m", "sizes": [1, 2], "a_b": "x", "scale": 0.5}
    metrics = sacred_file(folder, "metrics.json")
    assert (metrics["return_mean"]["steps"], metrics["return_mean"]["values"]) == ([100, 200], [1.5, 2.5])
    everything = "".join(file.read_text() for file in folder.sacred.rglob("*") if file.is_file())
    assert "geheim" not in everything
    assert said == []
    assert capfd.readouterr() == ("said by the run\n", "")
    assert set(threading.enumerate()) <= threads


def test_failure_is_raised_and_its_traceback_kept(folder: RunFolder, said: list[str]) -> None:
    def main(mirror: Mirror) -> None:
        raise ZeroDivisionError("a learner's mistake")

    with pytest.raises(ZeroDivisionError, match="a learner's mistake"):
        record_run(main, folder, said)
    run = sacred_file(folder, "run.json")
    assert run["status"] == "FAILED"
    assert "a learner's mistake" in "".join(run["fail_trace"])
    assert "in main" in "".join(run["fail_trace"])


SIGNALLED = """
import sys, time
from pathlib import Path
from cohort.recording.console import Console
from cohort.recording.folder import RunFolder
from cohort.recording.progress import Progress
from cohort.recording.recorder import Recorder
from cohort.recording.sacred_mirror import RunInterrupted, record_with_sacred
from cohort.recording.stop import stop_on_signals

folder = RunFolder(Path(sys.argv[1]))
console = Console()

def main(mirror):
    with stop_on_signals() as stop, Recorder(folder, console, Progress(console, 10**6), [mirror]) as recorder:
        for step in range(1, 10**6):
            recorder.log(step, step, 0, {"return_mean": float(step)})
            if stop.requested:
                raise RunInterrupted(stop.signal_name)
            time.sleep(0.02)

outcome = record_with_sacred(
    main, config={"seed": 1}, folder=folder, command="", name="x", t_max=1000, report=console.print, beat_seconds=0.05
)
print("outcome", outcome.status, outcome.sacred_id)
"""


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGINT, "INTERRUPTED"), (signal.SIGTERM, "TERMINATED")]
)
def test_signal_closes_every_record(folder: RunFolder, child, number: signal.Signals, state: str) -> None:
    process = child(SIGNALLED, folder.root)
    wait_for(lambda: folder.metrics.exists() and folder.metrics.stat().st_size > 500)
    process.send_signal(number)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 0, output
    assert f"outcome {state} 1" in output
    assert (folder.sacred / "1" / "cout.txt").read_text() == "", "Sacred leaves the output alone"
    run = sacred_file(folder, "run.json")
    assert run["status"] == state
    assert run["stop_time"]
    assert json.loads(folder.status.read_text())["state"] == state
    steps = [record.t_env for record in read_metrics(folder.metrics)]
    assert sacred_file(folder, "metrics.json")["return_mean"]["steps"] == steps
    assert "metrics.jsonl" in run["artifacts"]


def test_interrupt_is_one_of_sacreds(folder: RunFolder) -> None:
    assert isinstance(RunInterrupted("SIGTERM"), SacredInterrupt)
    assert (RunInterrupted("SIGINT").STATUS, RunInterrupted("SIGTERM").STATUS) == (
        "INTERRUPTED",
        "TERMINATED",
    )


def test_second_interrupt_gets_through(folder: RunFolder, said: list[str]) -> None:
    def main(mirror: Mirror) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_run(main, folder, said)
    assert sacred_file(folder, "run.json")["status"] == "INTERRUPTED"


def test_resumed_session_has_the_earlier_metrics_too(folder: RunFolder, said: list[str]) -> None:
    saved: dict[str, Any] = {}

    def first(mirror: Mirror) -> None:
        console = Console(io.StringIO())
        with Recorder(folder, console, Progress(console, 1000), [mirror]) as recorder:
            for t_env in (100, 200):
                recorder.log(t_env, 0, 0, {"return_mean": float(t_env)})
            saved.update(recorder.state_dict())
            recorder.log(300, 0, 0, {"return_mean": -1.0})
            raise RunInterrupted("SIGTERM")

    def second(mirror: Mirror) -> dict[str, float]:
        console = Console(io.StringIO())
        with Recorder(folder, console, Progress(console, 1000), [mirror]) as recorder:
            recorder.load_state_dict(saved)
            recorder.log(350, 0, 0, {"return_mean": 350.0})
            return recorder.results()

    assert record_run(first, folder, said).status == "TERMINATED"
    assert record_run(second, folder, said) == SacredOutcome("COMPLETED", {"return_mean": 350.0}, "2")
    assert sacred_file(folder, "metrics.json", 1)["return_mean"]["steps"] == [100, 200, 300]
    points = sacred_file(folder, "metrics.json", 2)["return_mean"]
    assert (points["steps"], points["values"]) == ([100, 200, 350], [100.0, 200.0, 350.0])
    runs = [sacred_file(folder, "run.json", number)["meta"] for number in (1, 2)]
    assert [run["session"] for run in runs] == [1, 2]
    assert runs[0]["run_folder"] == runs[1]["run_folder"] == folder.name


def test_generators_that_a_resume_restored_stay_as_they_are(folder: RunFolder, said: list[str]) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002

    def main(mirror: Mirror) -> None:
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
        assert random.getstate() == before[2]

    record_run(main, folder, said)


def test_unusable_sacred_folder_does_not_stop_the_run(folder: RunFolder, said: list[str]) -> None:
    folder.sacred.write_text("a file where the folder should be")

    def main(mirror: Mirror) -> dict[str, float]:
        mirror.log(logged(100, return_mean=1.0))
        return {"return_mean": 1.0}

    outcome = record_run(main, folder, said, beat=0.01)
    assert outcome == SacredOutcome("COMPLETED", {"return_mean": 1.0}, None)
    assert len(said) == 1
    assert "could not start a record" in said[0]


@pytest.mark.parametrize("error", [None, RunInterrupted("SIGINT")])
def test_sacred_that_breaks_before_the_run_is_done_without(
    folder: RunFolder, said: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setitem(CONFIG, "seed", -1)  # Sacred makes a numpy generator of it, and cannot

    def main(mirror: Mirror) -> dict[str, float]:
        mirror.log(logged(100, return_mean=1.0))
        if error is not None:
            raise error
        return {"return_mean": 1.0}

    outcome = record_run(main, folder, said)
    assert outcome == SacredOutcome(
        "COMPLETED" if error is None else "INTERRUPTED", {"return_mean": 1.0} if error is None else None, None
    )
    assert len(said) == 1
    assert "goes on without it" in said[0]


def test_observer_that_fails_for_a_while_misses_nothing(folder: RunFolder, said: list[str]) -> None:
    away = folder.root / "away"

    def main(mirror: Mirror) -> None:
        mirror.log(logged(100, return_mean=1.0))
        wait_for(lambda: (folder.sacred / "1" / "metrics.json").exists())
        folder.sacred.rename(away)
        mirror.log(logged(200, return_mean=2.0))
        wait_for(lambda: len(said) == 1)
        mirror.log(logged(300, return_mean=3.0))
        time.sleep(0.05)
        away.rename(folder.sacred)
        wait_for(lambda: len(said) == 2)

    assert record_run(main, folder, said, beat=0.01).status == "COMPLETED"
    assert "fails" in said[0]
    assert "is back" in said[1]
    assert len(said) == 2
    points = sacred_file(folder, "metrics.json")["return_mean"]
    assert (points["steps"], points["values"]) == ([100, 200, 300], [1.0, 2.0, 3.0])
    assert sacred_file(folder, "run.json")["status"] == "COMPLETED"


def test_observer_that_stays_away_is_told_in_the_end(folder: RunFolder, said: list[str]) -> None:
    def main(mirror: Mirror) -> dict[str, float]:
        folder.sacred.rename(folder.root / "away")
        mirror.log(logged(100, return_mean=1.0, loss=2.0))
        return {"return_mean": 1.0}

    assert record_run(main, folder, said).result == {"return_mean": 1.0}
    assert "misses 2 values" in said[-2]
    assert "still says RUNNING" in said[-1]


def test_observer_that_misses_the_last_beat_gets_its_points_with_the_ending(said: list[str]) -> None:
    class Late(RunObserver):
        failing = True
        stored: ClassVar[list[list[int]]] = []

        def started_event(self, **event: Any) -> str:
            return "7"

        def log_metrics(self, metrics_by_name: dict[str, Any], info: dict[str, Any]) -> None:
            if self.failing:
                raise TimeoutError("busy")
            self.stored.append(metrics_by_name["loss"]["steps"])

    late = Late()
    guard = _GuardedObserver(late, said.append)
    assert guard.started_event() == "7"
    for step in (1, 2):
        guard.log_metrics({"loss": {"steps": [step], "values": [0.5], "timestamps": [None]}}, {})
    late.failing = False
    guard.completed_event(stop_time=None, result=None)
    guard.join()
    assert late.stored == [[1, 2]]
    assert len(said) == 1
    assert "busy" in said[0]


def test_points_are_thinned_to_what_a_heartbeat_can_carry() -> None:
    sent: dict[str, list[int]] = {"loss": [], "test_return_mean": []}
    mirror = SacredMirror(lambda name, value, step: sent[name].append(step), t_max=2_000_000)
    mirror.begin([logged(step, loss=1.0) for step in range(0, 1_000_000, 37)])
    for step in range(1_000_000, 2_000_001, 37):
        mirror.log(logged(step, loss=1.0))
    mirror.log(logged(2_000_010, loss=5.0, test_return_mean=1.0))
    mirror.log(logged(2_000_020, loss=6.0))
    mirror.close()
    assert MAX_POINTS - 10 <= len(sent["loss"]) <= MAX_POINTS + 2
    assert sent["loss"] == sorted(set(sent["loss"]))
    assert sent["loss"][0] == 0
    assert sent["loss"][-1] == 2_000_020, "the last value is never thinned away"
    assert sent["test_return_mean"] == [2_000_010]


def test_the_record_says_where_the_run_comes_from_as_sacred_does(folder: RunFolder, said: list[str]) -> None:
    import cohort

    git = {"url": "https://host/r.git", "commit": "abc", "dirty": True, "diff_hash": "d"}
    provenance = {"git": git, "packages": {"numpy": "2.0"}, "cpu": "a CPU", "gpus": ["an H100"]}
    origin = Origin.of(provenance, Path(cohort.__file__).parent, [SacredMirror, Origin, dict])
    record_with_sacred(
        lambda mirror: None, config=CONFIG, folder=folder, command="", name="q", t_max=1, report=said.append,
        origin=origin,
    )  # fmt: skip
    run = sacred_file(folder, "run.json")
    experiment = run["experiment"]
    assert experiment["mainfile"] == "run.py"
    assert experiment["repositories"] == [{"url": "https://host/r.git", "commit": "abc", "dirty": True}]
    assert experiment["dependencies"] == ["numpy==2.0"]
    names = [name for name, _ in experiment["sources"]]
    assert names == ["run.py", "src/cohort/recording/origin.py", "src/cohort/recording/sacred_mirror.py"]
    for name, copy in experiment["sources"]:
        assert (folder.sacred / copy).read_bytes() == (origin.base / name).read_bytes()
    assert run["host"]["cpu"] == "a CPU"
    assert run["host"]["gpus"] == {"gpus": [{"model": "an H100"}]}
    assert {"hostname", "os", "python_version"} <= set(run["host"])
    assert said == []
