"""Several seeds in one program: each is the run that it would have been alone, and goes on with the others or alone."""

import json
import signal
from pathlib import Path

import pytest
import yaml

from cohort.cli import main
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.envs.sc2_sim.test_env import assert_same
from tests.test_resume import lines, sacred_states, start, state, stop_when

COMMON = "use_cuda=False env_args.map_name=3m test_nepisode=4"
INTERVALS = "test_interval=600 log_interval=150 checkpoint_interval=300"
VALUES = "batch_size=8 rnn_hidden_dim=16 buffer_size=40 target_update_interval=12 epsilon_anneal_time=2000"
META = "meta_interval=400 meta_episodes=8 meta_batch_size_run=4 exercise_updates=2"
STEADY = "lr=0.001 lr_final=0.0002 lr_anneal_time=1000 td_lambda=0.6 policy_average=0.9"
OWN = {
    "qmix": f"{VALUES} batch_size_run=4",
    "vdn": f"{VALUES} batch_size_run=4 runner=refilling",
    "iql": f"{VALUES} batch_size_run=3",
    "mnmpg": f"{VALUES} batch_size_run=4 {META} {STEADY}",
    "mappo": "batch_size_run=4 rnn_hidden_dim=16 critic_hidden_dim=16 epochs=2 minibatches=2 test_greedy=False",
}


def typed(algorithm: str, results: Path, more: str) -> list[str]:
    text = f"{COMMON} {INTERVALS} {OWN[algorithm]} local_results_path={results} {more}"
    return [f"--config={algorithm}", "--env-config=sc2_sim", "with", *text.split()]


def by_seed(results: Path) -> dict[int, Path]:
    found = {yaml.safe_load((run / "config.yaml").read_text())["seed"]: run for run in results.iterdir()}
    assert len(found) == len(list(results.iterdir()))
    return found


@pytest.mark.parametrize("algorithm", OWN)
def test_each_seed_is_the_run_alone(algorithm, tmp_path, capsys):
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert main(typed(algorithm, together, "t_max=1200 seed=4 seeds_at_once=3")) == 0
    runs = by_seed(together)
    assert sorted(runs) == [4, 5, 6]
    printed = capsys.readouterr().out.splitlines()
    assert {line.split(":")[0] for line in printed} >= {"seed 4", "seed 5", "seed 6"}
    assert main(typed(algorithm, alone, "t_max=1200 seed=5")) == 0
    lone = harness.only_run(alone)
    assert any(
        "loss" in line["metrics"] or "critic_loss" in line["metrics"] for line in harness.metrics(lone)
    )
    assert harness.metrics(runs[5]) == harness.metrics(lone)
    assert harness.metrics(runs[5]) != harness.metrics(runs[4])
    configs = [yaml.safe_load((run / "config.yaml").read_text()) for run in (runs[5], lone)]
    for config in configs:
        del config["local_results_path"]
    assert configs[0] == configs[1]
    states = [load_checkpoint(run / "checkpoint.pt") for run in (runs[5], lone)]
    assert_same(states[0]["trainer"], states[1]["trainer"])
    for run in runs.values():
        assert state(run)["state"] == "COMPLETED"
        assert sacred_states(run) == ["COMPLETED"]
        assert {each.name for each in run.iterdir()} == {each.name for each in lone.iterdir()}


def test_stopped_and_killed_they_go_on_together_or_alone(tmp_path):
    together, alone = tmp_path / "together", tmp_path / "alone"
    t_max = "t_max=3000"
    expected = {}
    for seed in (1, 2):
        assert main(typed("qmix", alone / str(seed), f"{t_max} seed={seed}")) == 0
        expected[seed] = harness.metrics(harness.only_run(alone / str(seed)))

    def at(count: int) -> bool:
        return (
            together.is_dir()
            and len(runs := list(together.iterdir())) == 2
            and all(lines(r) >= count for r in runs)
        )

    stop_when(start(*typed("qmix", together, f"{t_max} seeds_at_once=2")), lambda: at(2), signal.SIGTERM)
    runs = by_seed(together)
    for seed, run in runs.items():
        assert state(run)["state"] == "TERMINATED"
        assert harness.metrics(run) == expected[seed][: lines(run)]
        assert lines(run) < len(expected[seed]) - 6
    resume = f"--resume={runs[1]},{runs[2]}"

    count = max(map(lines, runs.values())) + 4
    before = {run: (run / "checkpoint.pt").stat().st_mtime_ns for run in runs.values()}
    stop_when(
        start(resume),
        lambda: at(count) and all((run / "checkpoint.pt").stat().st_mtime_ns > before[run] for run in before),
        signal.SIGKILL,
    )
    assert [state(run)["state"] for run in runs.values()] == ["RUNNING"] * 2

    assert main([f"--resume={runs[2]}"]) == 0  # alone
    assert harness.metrics(runs[2]) == expected[2]
    done = harness.run_py(resume)  # the other; this one stays as it is
    assert done.returncode == 0, done.stderr
    for seed, run in runs.items():
        assert harness.metrics(run) == expected[seed]
        assert state(run)["state"] == "COMPLETED"
        assert sacred_states(run) == ["TERMINATED", "RUNNING", "COMPLETED"]
    assert main([resume]) == 2


def test_two_signals_end_all_at_once(tmp_path):
    process = start(*typed("qmix", tmp_path, "t_max=1000000 seeds_at_once=2"))
    stop_when(process, lambda: len(list(tmp_path.glob("*/checkpoint.pt"))) == 2, signal.SIGINT)
    assert {state(run)["state"] for run in tmp_path.iterdir()} == {"INTERRUPTED"}


def test_a_run_that_cannot_go_on_does_not_stop_the_others(tmp_path, capsys):
    assert main(typed("qmix", tmp_path, "t_max=300 seeds_at_once=2")) == 0
    runs = by_seed(tmp_path)
    (runs[1] / "checkpoint.pt").unlink()
    (runs[1] / "checkpoint.previous.pt").unlink(missing_ok=True)
    assert main([f"--resume={runs[1]},{runs[2]}", "with", "t_max=700"]) == 2
    assert "checkpoint" in capsys.readouterr().err
    assert state(runs[2])["t_env"] >= 700
    assert json.loads((runs[2] / "status.json").read_text())["state"] == "COMPLETED"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--config=qmix --env-config=matrix_games with seeds_at_once=2", "sc2_sim"),
        ("--config=qmix --env-config=sc2_sim with seeds_at_once=2 env_args.compile=True", "compile"),
        ("--config=qmix --env-config=smacv2_sim with seeds_at_once=2 env_args.compile=True", "smacv2_sim"),
        ("--config=qmix,vdn --env-config=sc2_sim with seeds_at_once=2", "sweep"),
        ("--config=qmix --env-config=sc2_sim with seeds_at_once=0", "greater than or equal to 1"),
        (
            "--config=qmix --env-config=sc2_sim with seeds_at_once=2 evaluate=True checkpoint_path=x",
            "evaluate=True",
        ),
        ("--config=qmix --env-config=sc2_sim with seeds_at_once=2 seed=9223372036854775807", "seed="),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_built(words, said, tmp_path, capsys):
    assert main([*words.split(), f"local_results_path={tmp_path / 'results'}"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "seeds_at_once" in error
    assert said in error
    assert not (tmp_path / "results").exists()
