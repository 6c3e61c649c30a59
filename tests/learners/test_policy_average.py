"""The averaged policy is the one that is tested, saved to play and loaded; the live one collects and learns."""

import pytest
import torch

from cohort.cli import main
from cohort.components.clock import Clock
from cohort.policy import load_policy
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.builders import make_learner, random_episodes

AVERAGED = "policy_average=0.9 t_max=120 test_interval=20 lr=0.05 env_args.map_name=two_step"


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module", params=["qmix", "mnmpg"])
def run(request, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    typed = f"{AVERAGED} save_model=True save_model_interval=20 local_results_path={results}"
    assert main(harness.words(request.param, "matrix_games", typed)) == 0
    return request.param, harness.only_run(results)


def test_testing_takes_the_average_and_collecting_the_policy_that_learns():
    trainer = harness.experiment("qmix", "matrix_games", AVERAGED).trainer
    for _ in range(8):
        trainer.iterate()
    average, live = trainer.learner.targets["averaged_policy"], trainer.learner.networks["policy"]
    assert trainer.test_runner.policy is average
    assert trainer.runner.policy is live
    assert not equal(average.state_dict(), live.state_dict())


def test_off_there_is_no_average_and_the_policy_itself_is_tested():
    trainer = harness.experiment("qmix", "matrix_games").trainer
    assert trainer.test_runner.policy is trainer.policy
    assert set(trainer.learner.targets.rules) == {"policy", "mixer"}


@pytest.mark.parametrize("algorithm", ["qmix", "mnmpg"])
def test_learning_does_not_notice_the_average(algorithm):
    plain, averaged = make_learner(algorithm), make_learner(algorithm, policy_average=0.9)
    for seed in range(3):
        batch = random_episodes([4, 8], seed=seed)
        losses = [each.update(batch, Clock())["loss"] for each in (plain, averaged)]
        assert torch.equal(*losses)
    assert equal(plain.networks.state_dict(), averaged.networks.state_dict())


def test_a_loaded_policy_is_the_saved_average(run):
    _, folder = run
    path = max(folder.glob("models/*/learner.pt"), key=lambda each: int(each.parent.name))
    saved = load_checkpoint(path, kind="model")["targets"]["networks"]
    prefix = "averaged_policy."
    expected = {name.removeprefix(prefix): each for name, each in saved.items() if name.startswith(prefix)}
    assert equal(load_policy(folder).team.state_dict(), expected)


def test_an_evaluation_of_a_saved_model_is_what_was_logged_of_its_average(run, tmp_path):
    algorithm, folder = run
    logged = {each["t_env"]: each["metrics"] for each in harness.metrics(folder)}
    typed = f"{AVERAGED} evaluate=True checkpoint_path={folder} local_results_path={tmp_path}"
    assert main(harness.words(algorithm, "matrix_games", typed)) == 0
    (line,) = harness.metrics(harness.only_run(tmp_path))
    expected = logged[line["t_env"]]
    assert line["metrics"] == {name: value for name, value in expected.items() if "test_" in name}


def test_a_model_without_an_average_is_refused_where_one_is_wanted(run, tmp_path, capsys):
    algorithm, folder = run
    typed = f"env_args.map_name=two_step evaluate=True checkpoint_path={folder} local_results_path={tmp_path}"
    assert main(harness.words(algorithm, "matrix_games", typed)) == 2
    assert "averaged_policy" in capsys.readouterr().err


def test_a_resumed_run_goes_on_with_its_average():
    whole, resumed = (harness.experiment("mnmpg", "matrix_games", AVERAGED) for _ in range(2))
    for _ in range(6):
        whole.trainer.iterate()
    torch.rand(5)
    resumed.load_state_dict(whole.state_dict())
    for subject in (whole, resumed):
        for _ in range(6):
            subject.trainer.iterate()
    averages = [each.learner.targets["averaged_policy"].state_dict() for each in (whole, resumed)]
    assert equal(*averages)
    assert whole.trainer.evaluate() == resumed.trainer.evaluate()
