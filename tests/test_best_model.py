"""`save_best`: which model is kept, that it can be played, and that killed and full-disked runs lose nothing of it."""

import errno
import math
import os
import shutil
from pathlib import Path

import pytest
import torch

from cohort.cli import main
from cohort.policy import load_policy
from cohort.recording.best import BestModel
from cohort.recording.checkpoints import load_checkpoint
from cohort.trainers.team import TeamTrainer
from tests import harness
from tests.finished_runs import one_line, refusal

RUN = "env_args.map_name=two_step test_interval=20 log_interval=40 checkpoint_interval=60 save_best=test_return_mean"
HEIGHTS = (3.0, 5.0, 4.0, 4.5, 5.0, 7.0, 6.0)  # of the evaluations at 0, 20, 40, ... steps, and so on


def typed(results: Path, text: str = "") -> list[str]:
    return harness.words("qmix", "matrix_games", f"{RUN} local_results_path={results} {text}")


def best_of(run: Path) -> dict:
    return load_checkpoint(run / "best.pt", kind="best model")


def same(one: dict, other: dict) -> bool:
    (ours, theirs) = (each["learner"]["networks"] for each in (one, other))
    equal = all(torch.equal(ours[name], theirs[name]) for name in theirs)
    return equal and all(one[name] == other[name] for name in ("metric", "value", "t_env"))


@pytest.fixture
def scripted(monkeypatch):
    """Evaluations whose returns are known."""

    def evaluate(self, watch=None):
        return {"test_return_mean": HEIGHTS[self.t_env // 20 % len(HEIGHTS)]}

    monkeypatch.setattr(TeamTrainer, "evaluate", evaluate)


def test_the_largest_is_kept_and_the_first_of_equal_ones(tmp_path):
    best, path = BestModel("test_return_mean"), tmp_path / "best.pt"
    best.settle(path)
    assert best.describe() == ""
    kept = []
    for step, value in enumerate((math.nan, -3.0, -4.0, 2.0, 2.0, math.inf, 1.0)):
        best.offer(value, step, lambda step=step: {"weights": torch.tensor([step])}, path)
        kept.append(load_checkpoint(path, kind="best model")["t_env"] if path.exists() else None)
    assert kept == [None, 1, 1, 3, 3, 3, 3]
    assert load_checkpoint(path, kind="best model")["learner"]["weights"].item() == 3
    assert best.describe() == "test_return_mean 2.0000 at 3 steps"


def test_the_file_follows_what_is_remembered(tmp_path):
    best, path = BestModel("test_return_mean"), tmp_path / "best.pt"
    best.offer(1.0, 10, lambda: {"weights": torch.zeros(2)}, path)
    state = best.state_dict()
    best.offer(2.0, 20, lambda: {"weights": torch.ones(2)}, path)
    earlier = BestModel("test_return_mean")
    earlier.load_state_dict(state)
    earlier.settle(path)
    assert load_checkpoint(path, kind="best model")["t_env"] == 10
    BestModel("test_return_mean").settle(path)
    assert not path.exists()


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_the_best_is_the_model_of_its_step_and_plays_as_it_was_tested(average, tmp_path, capsys):
    text = f"t_max=400 lr=0.02 save_model=True save_model_interval=20 policy_average={average} seed=2"
    assert main(typed(tmp_path / "trained", text)) == 0
    run = harness.only_run(tmp_path / "trained")
    tests = [
        (line["t_env"], line["metrics"]["test_return_mean"])
        for line in harness.metrics(run)
        if "test_return_mean" in line["metrics"]
    ]
    best, highest = best_of(run), max(value for _, value in tests)
    assert (best["metric"], best["value"]) == ("test_return_mean", highest)
    assert best["t_env"] == next(step for step, value in tests if value == highest)
    said = one_line(capsys.readouterr().out)
    assert f"best: test_return_mean {highest:.4f} at {best['t_env']:,} steps: {run / 'best.pt'}" in said
    model = load_checkpoint(run / "models" / str(best["t_env"]) / "learner.pt", kind="model")
    for part in ("networks", "targets"):
        ours, theirs = (each[part].get("networks", each[part]) for each in (best["learner"], model))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    policy = load_policy(run, best=True)
    assert policy.step == best["t_env"]
    assert policy.play(policy.make_env(2), episodes=2).returns.mean().item() == pytest.approx(highest)
    words = f"evaluate=True policy_average={average} checkpoint_path={run / 'best.pt'}"
    assert main(typed(tmp_path / "evaluated", words)) == 0
    evaluated = harness.only_run(tmp_path / "evaluated")
    (line,) = harness.metrics(evaluated)
    assert line["metrics"]["test_return_mean"] == highest
    assert not (evaluated / "best.pt").exists()


def test_a_resumed_run_remembers_the_best_and_forgets_what_was_not_to_be(tmp_path, scripted):
    """Also where the killed session had kept a better model after its last checkpoint."""
    assert main(typed(tmp_path / "straight", "t_max=200")) == 0
    straight = harness.only_run(tmp_path / "straight")
    assert (best_of(straight)["value"], best_of(straight)["t_env"]) == (7.0, 100)
    assert main(typed(tmp_path / "halved", "t_max=60")) == 0
    run = harness.only_run(tmp_path / "halved")
    assert best_of(run)["t_env"] == 20
    later = shutil.copytree(run, tmp_path / "later")
    shutil.copy(straight / "best.pt", later / "best.pt")
    for resumed in (run, later):
        assert main([f"--resume={resumed}", "with", "t_max=80"]) == 0
        assert (best_of(resumed)["value"], best_of(resumed)["t_env"]) == (5.0, 20)
        assert main([f"--resume={resumed}", "with", "t_max=200"]) == 0
        assert same(best_of(resumed), best_of(straight))


def test_a_full_disk_ends_the_run_in_a_sentence_and_loses_nothing(tmp_path, scripted, monkeypatch, capsys):
    opened = []

    def refusing(path, *arguments, **more):
        opened.append(path)
        if len([each for each in opened if ".best.pt" in str(each)]) > 2:  # the third is at 100 steps
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return open(path, *arguments, **more)

    with monkeypatch.context() as harmed:
        harmed.setattr("cohort.recording.files.open", refusing, raising=False)
        assert main(typed(tmp_path / "harmed", "t_max=200")) == 2
    run = harness.only_run(tmp_path / "harmed")
    said = one_line("".join(capsys.readouterr()))
    assert "Traceback" not in said
    assert "No space left on device. Make room" in said
    assert f"--resume={run}" in said
    assert best_of(run)["t_env"] == 20
    assert main([f"--resume={run}"]) == 0
    assert main(typed(tmp_path / "straight", "t_max=200")) == 0
    straight = harness.only_run(tmp_path / "straight")
    assert str(harness.metrics(run)) == str(harness.metrics(straight))
    assert same(best_of(run), best_of(straight))


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("test_retrun_mean", "Did you mean 'test_return_mean'"),
        ("return_mean", "no evaluation of this run logs that. Did you mean 'test_return_mean'"),
        ("test_battle_won_mean", "Logged: test_return_mean, test_ep_length_mean, test_return_std"),
    ],
)
def test_a_metric_that_no_evaluation_logs_is_refused_before_anything_is_written(
    metric, told, tmp_path, capsys
):
    said = refusal(capsys, *typed(tmp_path, f"save_best={metric}"))
    assert f"save_best = '{metric}'" in said
    assert told in said
    assert not list(tmp_path.iterdir())


def test_every_metric_that_is_offered_is_logged():
    for algorithm, env in (("qmix", "sc2_sim"), ("facmac_continuous", "going_together")):
        trainer = harness.experiment(algorithm, env).trainer
        assert set(trainer.test_metrics) == set(trainer.evaluate())


def test_where_evaluations_choose_no_model_it_is_said(capsys, tmp_path):
    words = ["--config=meta_mapg", "--env-config=ipd", "with", "save_best=test_auc", "use_cuda=False"]
    said = refusal(capsys, *words, f"local_results_path={tmp_path}")
    assert "save_best = 'test_auc': the evaluations of trainer=" in said
    assert not list(tmp_path.iterdir())


def test_a_best_model_is_asked_for_where_there_is_none(tmp_path, capsys):
    assert main(harness.words("qmix", "matrix_games", f"t_max=20 local_results_path={tmp_path}")) == 0
    run = harness.only_run(tmp_path)
    assert not (run / "best.pt").exists()
    said = refusal(capsys, *typed(tmp_path, f"evaluate=True checkpoint_path={run / 'best.pt'}"))
    assert f"There is no best model at {run / 'best.pt'}" in said
