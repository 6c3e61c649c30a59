"""`run.py export --format runs`: what is kept of a run reads as the run, and says nothing of the machine."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cohort.analysis import options
from cohort.analysis.folders import FolderRun, find_runs
from cohort.arguments import Parser
from cohort.cli import main
from cohort.recording.metrics import read_metrics

POINTS = [(0, {"test_return_mean": 0.1}), (90, {"test_return_mean": float("inf"), "loss": 1 / 3})]


def keep(results: Path, kept: Path) -> list[FolderRun]:
    assert main(["export", str(results), "--format", "runs", "--out", str(kept)]) == 0
    return find_runs([kept])


def test_a_kept_run_reads_as_the_run(
    write_run: Callable[..., FolderRun], results: Path, tmp_path: Path
) -> None:
    run = write_run("qmix", 7, POINTS, facts={"sc2_base_build": 75689})
    (run.folder.root / "checkpoint.pt").write_bytes(b"large")
    (again,) = keep(results, tmp_path / "kept")
    assert again.name == run.name
    assert again.flat_config == run.flat_config
    assert again.records == run.records
    assert again.status == run.status
    assert (again.updates, again.episode) == (run.updates, run.episode)
    assert (again.facts, again.started) == (run.facts, run.started)
    names = {path.name for path in again.folder.root.iterdir()}
    assert names == {"config.yaml", "metrics.jsonl", "provenance.json", "status.json"}


def test_paths_and_the_machine_stay_at_home(
    write_run: Callable[..., FolderRun], results: Path, tmp_path: Path
) -> None:
    places = {"local_results_path": "/home/me/runs", "teams": {"prey": {"policy": "/data/old/maddpg__tag"}}}
    run = write_run(config=places)
    command = "python run.py --config=/home/me/mine.yaml --env-config=sc2_sim with local_results_path=/home/me/runs a=1"
    git = {"commit": "a" * 40, "dirty": False, "diff_hash": None, "url": "git://home/me/project"}
    session = {"started": "2026-11-20T17:00:01+00:00", "hostname": "my-laptop", "cpu": "EPYC"}
    sessions = {"sessions": [session | {"command": command, "git": git}]}
    run.folder.provenance.write_text(json.dumps(sessions))
    (again,) = keep(results, tmp_path / "kept")
    assert again.config["local_results_path"] == "runs"
    assert again.config["teams"]["prey"]["policy"] == "maddpg__tag"
    (told,) = again.sessions
    assert (
        told["command"]
        == "python run.py --config=mine.yaml --env-config=sc2_sim with local_results_path=runs a=1"
    )
    assert told["cpu"] == "EPYC"
    whole = b"".join(path.read_bytes() for path in again.folder.root.iterdir())
    assert not any(word in whole for word in (b"/home", b"/data", b"home/me", b"my-laptop"))


def test_a_run_is_kept_again_after_it_went_on(
    write_run: Callable[..., FolderRun], results: Path, tmp_path: Path
) -> None:
    run = write_run(points=POINTS)
    keep(results, tmp_path / "kept")
    with open(run.folder.metrics, "ab") as file:
        file.write(run.folder.metrics.read_bytes().splitlines(keepends=True)[0])
    (again,) = keep(results, tmp_path / "kept")
    assert again.records == read_metrics(run.folder.metrics)
    assert len(again.records) == 3


def test_what_still_goes_on_is_not_kept(
    write_run: Callable[..., FolderRun],
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_run(status={"state": "RUNNING", "last_update": None})
    kept = tmp_path / "kept"
    assert main(["export", str(results), "--format", "runs", "--out", str(kept)]) == 2
    assert "qmix__3m__seed1 still goes on" in capsys.readouterr().err
    assert not kept.exists()


@pytest.mark.parametrize("words", [[], ["--out", "kept", "--metric", "loss"]])
def test_where_to_and_every_metric(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    write_run()
    assert main(["export", str(results), "--format", "runs", *words]) == 2
    assert "--format runs needs --out FOLDER, and keeps every metric" in capsys.readouterr().err


def test_kept_runs_stand_beside_those_in_results(
    write_run: Callable[..., FolderRun], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run that is in both, the one in results counts; folders that are named stand alone."""
    write_run(seed=1), write_run(seed=2)
    kept = tmp_path / "kept"
    keep(results, kept)
    shutil.rmtree(results / "qmix__3m__seed2")
    config = results / "qmix__3m__seed1" / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"t_max": 200}))
    monkeypatch.chdir(tmp_path)
    parser = Parser("figure", "", "")
    options.add_source(parser)

    def lengths(*words: str) -> dict[str, int]:
        return {run.name: run.config["t_max"] for run in options.chosen_runs(parser.parse(words), kept=kept)}

    assert lengths() == {"qmix__3m__seed1": 200, "qmix__3m__seed2": 100}
    assert lengths("results") == {"qmix__3m__seed1": 200}
    shutil.rmtree(results)
    assert lengths() == {"qmix__3m__seed1": 100, "qmix__3m__seed2": 100}
