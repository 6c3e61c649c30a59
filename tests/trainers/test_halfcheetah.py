"""The 2-agent HalfCheetah from pre-training to meta-testing, in small."""

import importlib.util
import math

import pytest
import torch

from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.halfcheetah.robots import PACKAGES
from cohort.experiment import Experiment
from cohort.learners.meta.teammates import load_teammates
from cohort.recording.checkpoints import load_checkpoint
from cohort.recording.folder import RunFolder
from tests import harness

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(package) for package in PACKAGES), reason="mujoco is not installed"
)
METHODS = ("meta_mapg", "meta_pg", "meta_mapg_no_own", "meta_mapg_own_constant", "reinforce", "lola_dice")
MATCHES, STEPS = 2, 10
ITERATIONS = 8
ENV = {"env_args": {"episode_limit": STEPS}, "use_cuda": False}
PAIR = {"trajectories": MATCHES, "rnn_hidden_dim": 3, **ENV}
META = {
    **PAIR,
    "rnn_hidden_dim": 4,
    "chains": 2,
    "val_interval": 2,
    "teammates_range": [0, 4],
    "teammates_test_range": [6, 7],
    "personas_train": 3,
    "personas_validation": 2,
    "personas_test": 2,
}


def experiment(method: str, **typed) -> Experiment:
    plan = make_plan(Sources.read(method, "halfcheetah_dir", typed))
    return Experiment(plan, lambda line: None)


def pretraining(**typed) -> Experiment:
    each = MATCHES * STEPS
    times = {"t_max": ITERATIONS * each, "test_interval": 4 * each, "log_interval": each}
    return experiment("cheetah_teammates", **PAIR, **times, **typed)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The folder of a small run of pre-training."""
    folder = tmp_path_factory.mktemp("pair")
    harness.train(pretraining(), RunFolder(folder))
    return folder


def steps_per_update(method: str) -> int:
    return 2 * 3 * STEPS * MATCHES * (3 if method == "lola_dice" else 1)


def lines_of_a_run_that_stops(make, stops, folder) -> list:
    """What is logged in all by a run that is stopped and resumed after each of these numbers of rounds."""
    lines, current = [], make()
    for stops_after in (*stops, None):
        recorder = harness.FakeRecorder()

        class Stop:
            @property
            def requested(self, recorder=recorder, limit=stops_after) -> bool:
                return limit is not None and len(recorder.ticks) >= limit

        current.train(recorder, RunFolder(folder), Stop())
        lines += recorder.lines
        if stops_after is not None:
            current = make()
            state = load_checkpoint(folder / "checkpoint.pt")
            del state["recorder"]
            current.load_state_dict(state)
    return lines


def test_every_iterations_teammate_is_the_policy_that_played(pair):
    again = pretraining().trainer
    teammates = load_teammates(pair)
    assert teammates.iteration.tolist() == list(range(ITERATIONS))
    for iteration in range(ITERATIONS):
        for name, each in again.learner.actors[1].items():
            assert torch.equal(teammates.params[name][iteration], each.detach())
        again.iterate()
    assert torch.equal(again.teammates.returns, teammates.returns)
    assert not torch.equal(teammates.params["w_hh"][0], teammates.params["w_hh"][-1])


def test_the_return_is_that_of_whole_matches_to_the_left_without_the_scale():
    trainer = pretraining().trainer
    stage = trainer.learner.stage(trainer.learner.draws)
    assert trainer.learner.game.direction == -1
    trainer = pretraining().trainer
    trainer.iterate()
    whole = 100 * stage.matches.reward[..., 0].double().sum(dim=-1).mean()
    assert trainer.returns == [pytest.approx(float(whole), rel=1e-5)]


def test_pretraining_stopped_anywhere_and_resumed_is_the_run_never_stopped(pair, tmp_path):
    expected = harness.train(pretraining(), RunFolder(tmp_path)).lines
    assert str(lines_of_a_run_that_stops(pretraining, (1, 3), tmp_path)) == str(expected)
    assert torch.equal(load_teammates(tmp_path).params["w_hh"], load_teammates(pair).params["w_hh"])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_among_teammates(method, pair, tmp_path):
    each = steps_per_update(method)
    subject = experiment(
        method, **META, teammates=str(pair), t_max=2 * each, test_interval=2 * each, log_interval=each
    )
    before = subject.learner.snapshot()
    recorder = harness.train(subject, RunFolder(tmp_path))
    assert recorder.ticks == [each, 2 * each]
    last = {name: value for *_, line in recorder.lines for name, value in line.items()}
    expected = {"return_mean", "auc", "val_auc", "val_auc_best", "test_auc", "test_return_mean"}
    expected |= {f"test_{kind}_phi_{place}" for kind in ("return", "reward") for place in range(3)}
    assert expected <= last.keys()
    assert all(math.isfinite(value) for value in last.values()), last
    for place in range(3):  # mean reward x H x 100
        whole = last[f"test_reward_phi_{place}"] * STEPS * 100
        assert last[f"test_return_phi_{place}"] == pytest.approx(whole)
    after = subject.learner.snapshot()["first"]
    assert any(not torch.equal(before["first"][name], each) for name, each in after.items())


@pytest.mark.parametrize("method", ["meta_mapg", "lola_dice"])
def test_a_run_stopped_anywhere_and_resumed_is_the_run_never_stopped(method, pair, tmp_path):
    each = steps_per_update(method)

    def make() -> Experiment:
        times = {"t_max": 3 * each, "test_interval": 2 * each, "log_interval": each}
        few = {"personas_validation": 1, "personas_test": 1}
        return experiment(method, **(META | few), teammates=str(pair), **times)

    expected = harness.train(make(), RunFolder(tmp_path)).lines
    assert str(lines_of_a_run_that_stops(make, (1, 2), tmp_path)) == str(expected)


def test_the_split_and_what_teammates_came_to_are_kept_with_the_run(pair, tmp_path):
    each = steps_per_update("reinforce")
    harness.train(experiment("reinforce", **META, teammates=str(pair), t_max=each), RunFolder(tmp_path))
    kept, all_of_them = (
        load_checkpoint(tmp_path / "checkpoint.pt")["trainer"]["population"],
        load_teammates(pair),
    )
    for split, last in (("train", 4), ("validation", 4), ("test", 7)):
        iteration = kept[split]["iteration"]
        assert iteration.max() <= last
        assert torch.equal(kept[split]["returns"], all_of_them.returns[iteration])
        assert torch.equal(kept[split]["params"]["w_hh"], all_of_them.params["w_hh"][iteration])


@pytest.mark.parametrize(
    ("config", "env", "more", "told"),
    [
        ("meta_mapg", "halfcheetah_dir", [], "--config=cheetah_teammates"),
        ("meta_mapg", "halfcheetah_dir", ["teammates=nowhere"], "teammates=nowhere: there is no such"),
        ("meta_mapg", "halfcheetah_dir", ["teammates=PAIR"], "teammates_range=[50,300]"),
        ("meta_mapg", "halfcheetah_dir", ["teammates=PAIR", "meta_policy=table"], "meta_policy=table"),
        (
            "meta_mapg",
            "halfcheetah_dir",
            ["teammates=PAIR", "out_of_distribution=True"],
            "out_of_distribution",
        ),
        ("meta_mapg_om", "halfcheetah_dir", ["teammates=PAIR"], "--env-config=ipd or rps"),
        ("meta_mapg_exact", "halfcheetah_dir", ["teammates=PAIR"], "--env-config=ipd or rps"),
        ("meta_mapg", "ipd", ["teammates=PAIR"], "peers are drawn here"),
        ("cheetah_teammates", "ipd", [], "--env-config can be: halfcheetah_dir"),
        ("cheetah_teammates", "halfcheetah_dir", ["trainer=meta_learning"], "subject meta-agent here"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_screen(config, env, more, told, pair, tmp_path, capsys):
    typed = [word.replace("PAIR", str(pair)) for word in more]
    typed = ["use_cuda=False", f"local_results_path={tmp_path}", *typed]
    assert main([f"--config={config}", f"--env-config={env}", "with", *typed]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
