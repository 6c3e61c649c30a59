"""Trials of MNMPG's exercise move from a run's checkpoint."""

import csv
from itertools import repeat
from pathlib import Path

import pytest
import torch

from cohort.analysis.folders import FolderRun
from cohort.cli import main
from papers.mnmpg import exercise
from papers.mnmpg.exercise import Rehearsal, beyond
from tests import harness


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FolderRun:
    """A short run of MNMPG whose learning rate has fallen to 0.0008 where it ends."""
    results = tmp_path_factory.mktemp("results")
    text = (
        "t_max=256 batch_size=8 meta_episodes=8 meta_interval=64 exercise_updates=4 "
        "lr=0.001 lr_final=0.0002 lr_anneal_time=1024 "
        f"test_interval=1000 local_results_path={results}"
    )
    assert main(harness.words("mnmpg", "matrix_games", text)) == 0
    return FolderRun(next(results.iterdir()))


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TRIALS": 2, "EPISODES": 8, "DRAWS": 3}.items():
        monkeypatch.setattr(exercise, name, value)


def weights(rehearsal: Rehearsal) -> torch.Tensor:
    return torch.cat([each.detach().flatten().clone() for each in rehearsal.trainer.policy.parameters()])


def test_every_trial_begins_at_the_checkpoint(run: FolderRun) -> None:
    rehearsal = Rehearsal(run)
    before = weights(rehearsal)
    played = rehearsal.fresh()
    rehearsal.begin_again(1)
    first = rehearsal.with_z(played).extras["z"]
    losses = rehearsal.learn(repeat(rehearsal.with_z(played)))
    moved = weights(rehearsal)
    assert len(losses) == rehearsal.trainer.settings.exercise_updates == 4
    assert not torch.equal(moved, before)
    rehearsal.begin_again(1)
    assert torch.equal(weights(rehearsal), before)
    assert torch.equal(rehearsal.with_z(played).extras["z"], first), "the same seed draws the same z"
    assert rehearsal.learn(repeat(rehearsal.with_z(played))) == losses
    assert torch.equal(weights(rehearsal), moved), "optimisers are the checkpoint's, too"
    rehearsal.begin_again(2)
    assert not torch.equal(rehearsal.with_z(played).extras["z"], first)
    rehearsal.close()


def test_half_the_rate_takes_half_a_step(run: FolderRun) -> None:
    full, half = Rehearsal(run), Rehearsal(run, rate=0.5)
    assert full.learning_rate == pytest.approx(0.0008, rel=0.05)
    assert half.learning_rate == pytest.approx(full.learning_rate / 2)
    played, steps = full.fresh(), []
    for each in (full, half):
        before = weights(each)
        each.begin_again(1)
        each.learner.exercise(each.with_z(played), each.trainer.clock)
        steps.append(weights(each) - before)
        each.close()
    assert steps[0].abs().max() > 1e-5
    torch.testing.assert_close(steps[1], steps[0] / 2, rtol=1e-3, atol=1e-7)


def test_the_table(run: FolderRun, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["table", "mnmpg-exercise", run.place, "--form", "csv"]) == 0
    _, *rows = csv.reader(capsys.readouterr().out.strip().splitlines())
    assert [row[-3] for row in rows] == [
        "nothing",
        *["one D0: the exercise move"] * 2,
        "a D0 for each",
        "one batch of the memory",
        "a batch of the memory for each",
        *["draws of z"] * 2,
    ]
    assert [len(row[-1].split()) for row in rows] == [0, 4, 4, 4, 4, 4, 0, 0], "a loss for each update"


def test_a_run_without_a_checkpoint_is_named(
    run: FolderRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.yaml", "status.json", "metrics.jsonl"):
        (bare / name).write_bytes((Path(run.place) / name).read_bytes())
    capsys.readouterr()
    assert main(["table", "mnmpg-exercise", str(bare)]) == 0
    said = capsys.readouterr().out
    assert "bare: no checkpoint is kept" in said
    assert "name its folder" in said


@pytest.mark.parametrize(("quantile", "share"), [(30.1435, 0.05), (10.1170, 0.95), (36.1909, 0.01)])
def test_the_tail_of_chi_squared(quantile: float, share: float) -> None:
    """Tabulated quantiles of 19 degrees of freedom."""
    assert beyond(quantile / 19, 19) == pytest.approx(share, abs=1e-5)
