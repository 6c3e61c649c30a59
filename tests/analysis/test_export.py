"""`run.py export`: CSV that reads back, and the tree that marl-eval reads."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cohort.analysis.export import CSV_HEADINGS
from cohort.analysis.folders import FolderRun
from cohort.cli import main
from cohort.recording.metrics import read_metrics


def evaluations(*values: float) -> list[tuple[int, dict[str, float]]]:
    points: list[tuple[int, dict[str, float]]] = []
    for number, value in enumerate(values):
        points += [
            (100 * number, {"loss": 1.0}),
            (100 * number, {"test_return_mean": value, "test_battle_won_mean": 0.5}),
        ]
    return points


def test_csv_holds_every_value(write_run: Callable[..., FolderRun], results: Path, tmp_path: Path) -> None:
    run = write_run("qmix", 7, [(0, {"loss": 1 / 3}), (90, {"loss": float("nan"), "wins": 1e-300})])
    out = tmp_path / "values.csv"
    assert main(["export", str(results), "--format", "csv", "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert tuple(rows[0]) == CSV_HEADINGS
    expected = [
        (record.t_env, record.updates, name, repr(value))
        for record in read_metrics(run.folder.metrics)
        for name, value in record.metrics.items()
    ]
    assert [(int(r["t_env"]), int(r["updates"]), r["metric"], r["value"]) for r in rows] == expected
    assert {(r["run"], r["method"], r["map"], r["seed"]) for r in rows} == {
        ("qmix__3m__seed7", "qmix", "3m", "7")
    }


def test_csv_of_chosen_metrics_goes_to_the_pipe(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(points=evaluations(1.0, 2.0))
    assert main(["export", str(results), "--format", "csv", "--metric", "loss"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["export", str(results), "--format", "csv", "--metric", "los"]) == 2
    assert "There are: loss, " in capsys.readouterr().err


def test_marl_eval_reads_this(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checks of marl-eval's DiagnoseData, and what its processing relies on: order, lower case, equal names."""
    for method in ("qmix", "vdn"):
        for seed in (1, 2):
            for name in ("3m", "MMM2"):
                values = (0.0, 1.0, float(seed), 9.0)[: 4 if method == "vdn" else 3]
                write_run(method, seed, evaluations(*values), env_args={"map_name": name})
    assert main(["export", str(results), "--format", "marl-eval"]) == 0
    seen = capsys.readouterr()
    tree = json.loads(seen.out)
    assert list(tree) == ["sc2_sim"]
    assert set(tree["sc2_sim"]) == {"3m", "mmm2"}
    steps = ["step_1", "step_2", "step_3", "absolute_metrics"]
    for algorithms in tree["sc2_sim"].values():
        assert set(algorithms) == {"qmix", "vdn"}
        for runs in algorithms.values():
            assert list(runs) == ["seed_1", "seed_2"]
            for seed, run in enumerate(runs.values(), start=1):
                assert list(run) == steps
                assert [run[step]["step_count"] for step in steps[:-1]] == [0, 100, 200]
                for step in run.values():
                    assert set(step) - {"step_count"} == {"return", "win_rate"}
                assert run["step_3"]["return"] == run["absolute_metrics"]["return"] == [float(seed)]
    assert "sc2_sim: 4 evaluations left out, so that every run has 3." in seen.err
    assert "absolute_metrics: the last evaluation kept" in seen.err


def test_marl_eval_wants_the_same_seeds_everywhere(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("qmix", 1, evaluations(0.0))
    write_run("vdn", 2, evaluations(0.0))
    assert main(["export", str(results), "--format", "marl-eval"]) == 2
    assert "3m qmix: seeds 1\n" in capsys.readouterr().err


def test_marl_eval_is_told_what_a_figure_would_refuse(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("qmix", 1, evaluations(0.0), facts={"build": 1})
    write_run("vdn", 1, evaluations(0.0), facts={"build": 2})
    assert main(["export", str(results), "--format", "marl-eval"]) == 0
    assert "3m differs in the game's build: 1 / 2" in capsys.readouterr().err


def test_a_metric_that_one_run_lacks_is_named_with_the_run(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("qmix", 1, evaluations(0.0))
    write_run("qmix", 2, [(0, {"loss": 0.0})])
    assert main(["export", str(results), "--format", "marl-eval", "--metric", "test_return_mean"]) == 2
    assert "test_return_mean: qmix__3m__seed2 has no such metric" in capsys.readouterr().err
