"""Sweeps of real processes: one run fails, one is killed, the sweep is stopped and killed; and resumed each time."""

import json
import os
import signal

import numpy as np
import psutil
import pytest

from cohort.cli import main
from tests import harness
from tests.sweep.support import FINISHED, Place, ends, kill, wait_for


@pytest.fixture
def place(tmp_path, monkeypatch):
    found = Place(tmp_path)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


def test_twelve_runs_one_fails_one_is_killed_and_resumed_the_table_is_right(place, capsys):
    failing, victim = place.trouble / "VDNMixer-2-1.fails", place.trouble / "QMIXMixer-1-0.slow"
    failing.touch()
    victim.touch()
    words = place.words("--jobs=3", config="qmix,vdn", typed="seed=0..2 env_args.map_name=two_step,climbing")
    process = place.start(*words)
    wait_for(lambda: place.has_checkpoint(2), process)
    os.kill(place.journal()[2]["pid"], signal.SIGKILL)
    status, output = ends(process)
    assert status == 1, output
    states = ["completed"] * 12
    states[1], states[8] = "interrupted", "failed"  # qmix climbing seed 0, vdn two_step seed 1
    assert place.states() == states
    assert "10 completed, 1 interrupted, 1 failed" in output
    assert "killed by signal 9" in place.journal()[2]["reason"]
    assert place.journal()[9]["reason"] == "RuntimeError: made to fail"
    assert len(place.runs) == 12

    # resumed: the killed one goes on from its checkpoint, the failed one is left alone, the others too
    victim.unlink()
    before = {path: path.stat().st_mtime_ns for path in place.results.glob("*/metrics.jsonl")}
    assert main([f"--resume={place.sweep}"]) == 1
    assert place.states() == ["failed" if number == 8 else "completed" for number in range(12)]
    touched = [path.parent for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert touched == [place.folder(2)]
    assert len((place.folder(2) / "command.txt").read_text().splitlines()) == 2

    failing.unlink()
    assert main([f"--resume={place.sweep}", "--retry-failed"]) == 0
    assert "12 completed" in capsys.readouterr().out
    assert len(place.runs) == 12, "what was begun anew is counted once"
    check_table(place)
    text = (place.sweep / "summary.txt").read_text()
    assert f"12 completed. {place.sweep}" in text
    assert [line.split()[:5] for line in text.split("\n\n")[1].splitlines()[1:]] == [
        [method, game, "3", "of", "3"] for method in ("qmix", "vdn") for game in ("two_step", "climbing")
    ]


def check_table(place):
    """Each row of the table against its run's own files."""
    rows = place.table()
    typed = [(m, g, s) for m in ("qmix", "vdn") for s in range(3) for g in ("two_step", "climbing")]
    results: dict = {}
    for number, (row, (method, game, seed)) in enumerate(zip(rows, typed, strict=True), start=1):
        assert row[:5] == [str(number), method, game, str(seed), "COMPLETED"]
        assert " ".join(row[5:8]) == FINISHED
        lines = harness.metrics(place.folder(number))
        result = [
            line["metrics"]["test_return_mean"] for line in lines if "test_return_mean" in line["metrics"]
        ][-1]
        assert float(row[8]) == pytest.approx(result, abs=5e-4)
        results.setdefault((method, game), []).append(result)
        assert row[10] == place.folder(number).name
        assert row[10].startswith(f"{method}__{game}__seed{seed}__")
    medians = (place.sweep / "summary.txt").read_text().split("\n\n")[1].splitlines()[1:]
    for line, values in zip(
        medians, [results[m, g] for m in ("qmix", "vdn") for g in ("two_step", "climbing")], strict=True
    ):
        assert float(line.split("return")[1].split()[0]) == pytest.approx(np.median(values), rel=1e-2)


def test_stopped_and_killed_a_sweep_leaves_no_one_training_and_goes_on(place):
    slow = [place.trouble / f"VDNMixer-2-{seed}.slow" for seed in (0, 1)]
    for file in slow:
        file.touch()
    process = place.start(*place.words("--jobs=2", typed="seed=0..2"))
    wait_for(lambda: place.has_checkpoint(1) and place.has_checkpoint(2), process)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    status, output = ends(process)
    assert status == 143, output
    assert f"--resume={place.sweep}" in output
    assert not [child for child in children if child.is_running()]
    assert place.states() == ["interrupted", "interrupted"]
    assert [state(place, number)["state"] for number in (1, 2)] == ["TERMINATED"] * 2

    # SIGKILL: the runs save and end by themselves
    stopped = [state(place, number)["t_env"] for number in (1, 2)]
    process = place.start(f"--resume={place.sweep}", "--jobs=2")
    wait_for(lambda: all(len(command(place, number)) == 2 for number in (1, 2)), process)
    wait_for(lambda: all(metrics_end(place, number) > stopped[number - 1] for number in (1, 2)), process)
    children = kill(process)
    assert len(children) == 2
    assert place.states() == ["running", "running"]

    # at once: whoever is still saving is waited for
    for file in slow:
        file.unlink()
    assert main([f"--resume={place.sweep}"]) == 0
    assert not [child for child in children if child.is_running()]
    assert place.states() == ["completed"] * 3
    assert len(place.runs) == 3
    for number in (1, 2):
        assert sacred_states(place, number) == ["TERMINATED", "TERMINATED", "COMPLETED"]
        assert [f"--resume={place.folder(number)}" in line for line in command(place, number)] == [
            False,
            True,
            True,
        ]


def state(place, number):
    return json.loads((place.folder(number) / "status.json").read_text())


def metrics_end(place, number):
    return harness.metrics(place.folder(number))[-1]["t_env"]


def command(place, number):
    return (place.folder(number) / "command.txt").read_text().splitlines()


def sacred_states(place, number):
    return [
        json.loads((place.folder(number) / "sacred" / str(session) / "run.json").read_text())["status"]
        for session in (1, 2, 3)
    ]
