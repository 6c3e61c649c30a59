"""Real processes, stopped by signals and killed, and resumed: the metrics of a run that was never stopped."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cohort.cli import main
from tests import harness

RUN = (
    "use_cuda=False env_args.map_name=3m seed=3 test_nepisode=4 test_interval=600 log_interval=150 "
    "checkpoint_interval=300 batch_size_run=4"
)
VALUES = "batch_size=8 rnn_hidden_dim=16 buffer_size=40 target_update_interval=12 epsilon_anneal_time=2000"
META = "meta_interval=700 meta_episodes=8 meta_batch_size_run=4 exercise_updates=2 meta_updates=2"
OWN = {
    "qmix": VALUES,
    "vdn": f"{VALUES} runner=refilling",
    "mnmpg": f"{VALUES} {META}",
    "mappo": "rnn_hidden_dim=16 critic_hidden_dim=16 epochs=3 minibatches=2 test_greedy=False",
    "maac": "batch_size=64 agent_hidden_dims=[16] critic_hidden_dim=16 attention_heads=2 buffer_size=900",
}
T_MAX = 4500
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
STATE = {signal.SIGINT: "INTERRUPTED", signal.SIGTERM: "TERMINATED"}


def typed(algorithm: str, results: Path, t_max: int) -> list[str]:
    text = f"{RUN} {OWN[algorithm]} t_max={t_max} local_results_path={results}"
    return [f"--config={algorithm}", "--env-config=sc2_sim", "with", *text.split()]


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(harness.ROOT / "run.py"), *words],
        cwd=harness.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def stop_when(process: subprocess.Popen[str], condition, number: signal.Signals) -> None:
    """Send a signal once `condition()` holds, and check how the process ends."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, f"ended before it was to be stopped: {process.communicate()[0]}"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == STATUS[number], output
    assert "Traceback" not in output
    assert not [child for child in children if child.is_running()], "a child outlives its run"


def lines(run: Path) -> int:
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def sacred_states(run: Path) -> list[str]:
    """The status of each session's Sacred record, in order."""
    numbered = sorted(
        (each for each in (run / "sacred").iterdir() if each.name.isdecimal()), key=lambda p: int(p.name)
    )
    return [json.loads((each / "run.json").read_text())["status"] for each in numbered]


def state(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


@pytest.fixture(scope="module", params=list(OWN))
def unstopped(request, tmp_path_factory):
    """(algorithm, metrics of its run in one go)."""
    results = tmp_path_factory.mktemp("unstopped")
    assert main(typed(request.param, results, T_MAX)) == 0
    run = harness.only_run(results)
    assert state(run)["state"] == "COMPLETED"
    assert sacred_states(run) == ["COMPLETED"]
    found = harness.metrics(run)
    assert len(found) > 12
    learned = [{"loss", "critic_loss"} & line["metrics"].keys() for line in found[:8]]
    assert any(learned), "learning begins early, so that stops hit it"
    return request.param, found


def test_stopped_three_ways_and_resumed_it_is_the_run_never_stopped(unstopped, tmp_path):
    algorithm, expected = unstopped
    words = typed(algorithm, tmp_path, T_MAX)

    def run() -> Path | None:
        return next(iter(tmp_path.iterdir()), None)

    # a request in the first steps, before any checkpoint was due
    stop_when(start(*words), lambda: run() and lines(run()) >= 2, signal.SIGTERM)
    folder = harness.only_run(tmp_path)
    assert state(folder)["state"] == "TERMINATED"
    stopped_at = state(folder)["t_env"]
    assert harness.metrics(folder) == expected[: lines(folder)]

    # a kill some time after a checkpoint: what was logged since is taken back
    before = (folder / "checkpoint.pt").stat().st_mtime_ns
    count = lines(folder)
    stop_when(
        start(f"--resume={folder}"),
        lambda: (folder / "checkpoint.pt").stat().st_mtime_ns > before and lines(folder) > count + 2,
        signal.SIGKILL,
    )
    assert state(folder)["state"] == "RUNNING"
    assert state(folder)["t_env"] > stopped_at

    # Ctrl-C
    count = lines(folder)
    stop_when(start(f"--resume={folder}"), lambda: lines(folder) > count + 2, signal.SIGINT)
    assert state(folder)["state"] == "INTERRUPTED"
    assert harness.metrics(folder) == expected[: lines(folder)]
    assert lines(folder) < len(expected), "every stop must come before the end"

    ended = harness.run_py(f"--resume={folder}")
    assert ended.returncode == 0, ended.stderr
    assert harness.metrics(folder) == expected
    assert state(folder)["state"] == "COMPLETED"
    assert sacred_states(folder) == ["TERMINATED", "RUNNING", "INTERRUPTED", "COMPLETED"]
    assert len((folder / "command.txt").read_text().splitlines()) == 4
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_finished_run_goes_on_to_a_later_end(tmp_path):
    """Beyond its forced last evaluation it trains as a run that was told the later end at once."""
    short, long = tmp_path / "short", tmp_path / "long"
    assert main(typed("qmix", short, 800)) == main(typed("qmix", long, 1600)) == 0
    run = harness.only_run(short)
    first = harness.metrics(run)
    assert main([f"--resume={run}", "with", "t_max=1600"]) == 0
    resumed, whole = harness.metrics(run), harness.metrics(harness.only_run(long))
    assert resumed[: len(first)] == first
    assert "t_max: 1600\n" in (run / "config.yaml").read_text()
    last = [{key: line[key] for key in ("t_env", "updates", "episode")} for line in (resumed[-1], whole[-1])]
    assert last[0] == last[1]
    assert resumed[-1]["metrics"]["test_ep_length_mean"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_before_the_first_step_leaves_a_run_that_resumes(tmp_path, number):
    """The signal comes as soon as the run's folder is there: while the first evaluation or even Sacred starts."""
    process = start(*typed("qmix", tmp_path, 600))
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == STATUS[number], output
    assert "Traceback" not in output
    run = harness.only_run(tmp_path)
    assert f"--resume={run}" in output
    assert main([f"--resume={run}"]) == 0
    assert state(run)["state"] == "COMPLETED"


def test_a_running_run_has_one_writer_and_two_signals_end_it_at_once(tmp_path, capsys):
    process = start(*typed("qmix", tmp_path, 10**6))
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/checkpoint.pt")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        run = harness.only_run(tmp_path)
        config, sessions = (run / "config.yaml").read_text(), len(sacred_states(run))
        assert main([f"--resume={run}", "with", "t_max=5"]) == 2
        assert "still going" in capsys.readouterr().err
        assert (run / "config.yaml").read_text() == config
        assert len(sacred_states(run)) == sessions
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (130, 143), output
    assert "Traceback" not in output
    assert state(run)["state"] in ("INTERRUPTED", "TERMINATED")
    assert main([f"--resume={run}", "with", f"t_max={state(run)['t_env'] + 200}"]) == 0
