"""The training loop: what happens when, with which parameters and whose randomness."""

import math
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from cohort.cli import main
from cohort.recording.checkpoints import load_checkpoint
from cohort.recording.folder import RunFolder
from tests import harness

SIM = "env_args.step_mul=4"


def folder(path) -> RunFolder:
    path.mkdir(exist_ok=True)
    return RunFolder(path)


def parameters(subject) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in subject.learner.networks.state_dict().items()}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# --- when what happens


def test_every_clock_keeps_its_interval(tmp_path, monkeypatch):
    """climbing has one step per episode and two games run side by side: t_env goes 2, 4, 6, ..., 16."""
    text = (
        "env_args.map_name=climbing t_max=15 test_interval=6 log_interval=4 checkpoint_interval=10 "
        "save_model=True save_model_interval=8"
    )
    subject = harness.experiment("qmix", "matrix_games", text)
    saved = []
    monkeypatch.setattr(subject, "save", lambda recorder, path: saved.append(subject.trainer.t_env))
    recorder = harness.train(subject, folder(tmp_path))
    assert recorder.ticks == [2, 4, 6, 8, 10, 12, 14, 16]
    assert [t for t, _ in recorder.of("test_return_mean")] == [0, 6, 12, 16]
    assert [t for t, _ in recorder.of("return_mean")] == [4, 8, 12, 16]
    assert saved == [10, 16]
    assert sorted(int(each.name) for each in (tmp_path / "models").iterdir()) == [0, 8, 16]
    for t_env, updates, episode, _ in recorder.lines:
        assert episode == t_env
        assert updates == max(0, t_env - 2)  # the first batch of 4 is there at t_env 4, and nothing is owed


def test_steps_are_counted_as_they_were_played():
    subject = harness.experiment("qmix", "sc2_sim", SIM)
    total = 0
    for _ in range(3):
        subject.trainer.iterate()
        total += int(subject.trainer.latest.length.sum())
        assert subject.trainer.t_env == total
    assert subject.trainer.episode == 6


@pytest.mark.parametrize("ratio", ["1", "0.125", "0.1", "2.5", "0.3", "3"])
def test_updates_follow_episodes_exactly(ratio, monkeypatch):
    subject = harness.experiment("vdn", "matrix_games", f"updates_per_episode={ratio} batch_size_run=3")
    learner, times = subject.learner, []
    monkeypatch.setattr(learner, "update", lambda batch, episode: times.append(batch.batch_size) or {})
    owed, expected = Fraction(0), 0
    for _ in range(200):
        subject.trainer.iterate()
        if (
            subject.trainer.episode >= 4
        ):  # the first moment at which a batch of 4 exists; nothing is owed from before
            owed += 3 * Fraction(ratio)
            expected += math.floor(owed)
            owed -= math.floor(owed)
        assert len(times) == expected
    assert set(times) == {4}


def test_more_exercise_than_was_earned_is_a_debt_and_never_forgiven(monkeypatch):
    """ratio_one: the meta round's 1 + 1 kept episodes pay for 1 of its 6 exercise steps, later rounds for the rest."""
    text = "ratio_one=True append_all_meta=False meta_episodes=2 exercise_updates=6 meta_interval=20"
    subject = harness.experiment("mnmpg", "matrix_games", text)
    trainer = subject.trainer
    for _ in range(60):
        trainer.iterate()
        if trainer.meta_rounds and trainer.can_learn:
            assert subject.learner.updates <= trainer.episode + trainer.meta_rounds * 6
    assert trainer.meta_rounds > 3
    assert abs(subject.learner.updates - trainer.episode) <= 8


# --- which parameters, whose randomness


def test_evaluation_plays_the_logged_parameters(tmp_path, monkeypatch):
    subject = harness.experiment("qmix", "matrix_games", "t_max=40 test_interval=8 log_interval=8")
    played, real = [], subject.trainer.test_runner.run

    def run(**how):
        assert how == {"t_env": subject.trainer.t_env, "explore": False, "watch": None}
        played.append((subject.trainer.t_env, subject.learner.updates, parameters(subject)))
        return real(**how)

    monkeypatch.setattr(subject.trainer.test_runner, "run", run)
    recorder = harness.FakeRecorder()
    log = recorder.log

    def check(t_env, updates, episode, metrics):
        if "test_return_mean" in metrics:
            assert played[-1][:2] == (t_env, updates)
            assert same(played[-1][2], parameters(subject))
        log(t_env, updates, episode, metrics)

    monkeypatch.setattr(recorder, "log", check)
    subject.train(recorder, folder(tmp_path), SimpleNamespace(requested=False))
    assert len(played) == len(recorder.of("test_return_mean")) == 6


@pytest.mark.parametrize("algorithm", ["qmix", "mnmpg"])
def test_evaluating_and_logging_more_often_leaves_training_as_it_is(algorithm, tmp_path):
    runs = {}
    for test_interval, log_interval in ((60, 1), (10**6, 1), (60, 10**6)):
        text = f"t_max=400 test_interval={test_interval} log_interval={log_interval} {SIM}"
        subject = harness.experiment(algorithm, "sc2_sim", text)
        recorder = harness.train(subject, folder(tmp_path / f"{test_interval}-{log_interval}"))
        training = [
            (*clocks, {name: value for name, value in metrics.items() if not name.startswith("test_")})
            for *clocks, metrics in recorder.lines
            if "return_mean" in metrics
        ]
        runs[test_interval, log_interval] = training, parameters(subject), subject.learner.updates
    assert str(runs[60, 1][0]) == str(runs[10**6, 1][0])  # as text: NaN equals NaN
    assert same(runs[60, 1][1], runs[10**6, 1][1])
    assert same(runs[60, 1][1], runs[60, 10**6][1])
    assert runs[60, 1][2] > 0


def test_test_games_are_other_games_than_training_games():
    subject = harness.experiment("qmix", "sc2_sim", "env_args.reset_noise=1.0")
    train, test = subject.trainer.runner.env.reset(), subject.trainer.test_runner.env.reset()
    assert not torch.equal(train.obs, test.obs)


@pytest.mark.parametrize("env", ["sc2_sim", "matrix_games"])
def test_a_seed_repeats_a_run_bit_for_bit_and_another_differs(tmp_path, env):
    lines = {}
    for name, seed in (("one", 5), ("again", 5), ("other", 6)):
        typed = f"t_max=150 test_interval=70 log_interval=40 seed={seed} local_results_path={tmp_path}/{name}"
        assert main(harness.words("mnmpg", env, typed)) == 0
        lines[name] = [str(line) for line in harness.metrics(harness.only_run(tmp_path / name))]
    assert lines["one"] == lines["again"]
    assert lines["one"] != lines["other"]


# --- models


def test_a_saved_model_evaluates_as_it_did_when_it_was_logged(tmp_path):
    typed = (
        "t_max=120 test_interval=20 save_model=True save_model_interval=20 env_args.map_name=two_step lr=0.01"
    )
    results = tmp_path / "results"
    assert main(harness.words("qmix", "matrix_games", f"{typed} local_results_path={results}")) == 0
    run = harness.only_run(results)
    logged = {
        line["t_env"]: line["metrics"]
        for line in harness.metrics(run)
        if "test_return_mean" in line["metrics"]
    }
    assert sorted(int(each.name) for each in (run / "models").iterdir()) == sorted(logged)
    steps = sorted(logged)
    for load_step, expected in [(steps[1], steps[1]), (steps[2] + 1, steps[2]), (0, steps[-1])]:
        evaluated = tmp_path / f"evaluated{load_step}"
        typed = f"evaluate=True checkpoint_path={run} load_step={load_step} local_results_path={evaluated}"
        assert main(harness.words("qmix", "matrix_games", typed)) == 0
        (line,) = harness.metrics(harness.only_run(evaluated))
        assert line["t_env"] == expected
        assert line["metrics"] == {name: value for name, value in logged[expected].items() if "test_" in name}
        assert not (harness.only_run(evaluated) / "checkpoint.pt").exists()


def test_training_goes_on_from_a_model_with_this_runs_settings(tmp_path):
    results, more = tmp_path / "results", tmp_path / "more"
    typed = f"t_max=64 save_model=True local_results_path={results}"
    assert main(harness.words("mnmpg", "matrix_games", typed)) == 0
    (path,) = [each for each in results.glob("*/models/*/learner.pt") if each.parent.name != "0"]
    step = int(path.parent.name)
    subject = harness.experiment("mnmpg", "matrix_games", "lr=0.25 meta_lr=0.5 target_update_interval=6")
    subject.load_model(load_checkpoint(path, kind="model"), step)
    assert subject.trainer.t_env == step
    assert [group["lr"] for group in subject.learner.optimisers["td"].param_groups] == [0.25]
    assert [group["lr"] for group in subject.learner.meta.minimiser.optimiser.param_groups] == [0.5]
    saved = load_checkpoint(path, kind="model")
    assert same(parameters(subject), saved["networks"])
    assert min(saved["targets"]["last_copy"].values()) > 6, "otherwise the next lines would show nothing"
    for _ in range(3):
        subject.trainer.iterate()
    copies = set(subject.learner.targets.last_copy.values())
    assert all(subject.trainer.episode - 6 < copy <= subject.trainer.episode for copy in copies), (
        "the targets wait for the old run's episodes"
    )
    assert subject.trainer.episode >= 6

    typed = f"t_max={step + 40} checkpoint_path={path.parent} local_results_path={more}"
    assert main(harness.words("mnmpg", "matrix_games", typed)) == 0
    lines = harness.metrics(harness.only_run(more))
    assert lines[0]["t_env"] == step
    assert lines[-1]["t_env"] >= step + 40


def test_a_run_of_an_older_program_is_refused_in_one_sentence_and_left_alone(tmp_path, capsys):
    """Its checkpoint says so, before its keys, which may mean nothing any more, are looked at."""
    assert main(harness.words("qmix", "matrix_games", f"t_max=20 local_results_path={tmp_path}")) == 0
    run = harness.only_run(tmp_path)
    content = torch.load(run / "checkpoint.pt", weights_only=True)
    torch.save({**content, "version": 1}, run / "checkpoint.pt")
    config = (run / "config.yaml").read_text().replace("mac: basic_mac", "mac: deterministic_mac")
    (run / "config.yaml").write_text(config)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main([f"--resume={run}", "with", "t_max=40"]) == 2
    said = capsys.readouterr().err
    assert "was saved in version 1" in said
    assert "train anew" in said
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


# --- everything with everything


@pytest.mark.parametrize(("algorithm", "env"), harness.PAIRS)
def test_every_algorithm_learns_on_every_kind_of_environment(algorithm, env, tmp_path):
    subject = harness.experiment(algorithm, env, "t_max=150" + (f" {SIM}" if env == "sc2_sim" else ""))
    before = parameters(subject)
    targets = {name: value.clone() for name, value in subject.learner.targets.networks.state_dict().items()}
    shared = before.keys() & targets.keys()  # not what has another name, as an old policy
    assert same(*({name: each[name] for name in shared} for each in (before, targets)))
    recorder = harness.train(subject, folder(tmp_path))
    last = {name: value for *_, line in recorder.lines for name, value in line.items()}
    expected = {"return_mean", "return_std", "ep_length_mean"}
    expected |= {"test_return_mean", "test_return_std", "test_ep_length_mean"}
    if algorithm in (*harness.ATTENTIVE, *harness.REPLAYED_ACTORS, *harness.ON_POLICY):
        expected |= {"critic_loss", "entropy"}
    elif algorithm in (*harness.FACTORED, *harness.FACTORED_CONTINUOUS):
        expected |= {"actor_loss", "critic_loss"}
    else:
        expected |= {"epsilon"}
        expected |= {"critic_loss", "critic_lr"} if algorithm in harness.CONTINUOUS else {"loss", "grad_norm"}
    if env == "sc2_sim":
        expected |= {"battle_won_mean", "test_battle_won_mean"}
    assert expected <= last.keys()
    assert all(math.isfinite(value) for value in last.values()), last
    assert subject.learner.updates > 0
    assert not same(before, parameters(subject))
    assert not targets or not same(targets, subject.learner.targets.networks.state_dict())
    if algorithm in harness.ROLES:
        assert subject.learner.formed
    if algorithm in harness.META_MIXING:
        assert last["meta_rounds"] > 0
        assert "meta_grad_norm" in last


def test_a_stop_in_the_last_round_still_brings_the_last_evaluation(tmp_path):
    text = "t_max=20 test_interval=7 log_interval=7"
    expected = harness.train(harness.experiment("qmix", "matrix_games", text), folder(tmp_path))
    recorder = harness.FakeRecorder()

    class Stop:
        @property
        def requested(self) -> bool:
            return len(recorder.ticks) == len(expected.ticks)

    subject = harness.experiment("qmix", "matrix_games", text)
    subject.train(recorder, folder(tmp_path), Stop())
    assert str(recorder.lines) == str(expected.lines)


def test_a_kill_in_the_last_evaluation_leaves_a_checkpoint_from_before_the_end(tmp_path, monkeypatch):
    text = "t_max=20 test_interval=100 log_interval=7 checkpoint_interval=1"
    whole = harness.experiment("qmix", "matrix_games", text)
    expected = harness.train(whole, folder(tmp_path / "whole"))
    subject = harness.experiment("qmix", "matrix_games", text)
    evaluate = subject.evaluate

    def die_at_the_end():
        if subject.finished:
            raise SystemExit
        return evaluate()

    monkeypatch.setattr(subject, "evaluate", die_at_the_end)
    with pytest.raises(SystemExit):
        harness.train(subject, folder(tmp_path / "killed"))
    state = load_checkpoint(tmp_path / "killed" / "checkpoint.pt")
    del state["recorder"]
    resumed = harness.experiment("qmix", "matrix_games", text)
    resumed.load_state_dict(state)
    assert resumed.trainer.t_env < 20
    assert str(harness.train(resumed, folder(tmp_path / "killed")).lines[-1]) == str(expected.lines[-1])


@pytest.mark.parametrize(("algorithm", "env"), harness.PAIRS)
def test_a_run_stopped_anywhere_and_resumed_is_the_run_never_stopped(algorithm, env, tmp_path):
    steps = 40 if env in harness.GAMES_OF_A_STEP else 500
    meta = ""
    if algorithm in harness.META_MIXING:
        steps, meta = 4 * steps, f"meta_interval={steps // 2}"  # ordinary rounds and meta rounds take turns
    others = (*harness.ATTENTIVE, *harness.REPLAYED_ACTORS, *harness.ON_POLICY, *harness.FACTORED_CONTINUOUS)
    soft_or_none = algorithm in (*others, "dop")  # or counted in updates
    targets = "" if soft_or_none else "target_update_interval=6"
    text = f"t_max={steps} test_interval={steps // 4} log_interval={steps // 8} {targets} {meta}"
    whole = harness.experiment(algorithm, env, text)
    expected = harness.train(whole, folder(tmp_path))
    rounds = len(expected.ticks)  # how many they are hangs on how long a policy of chance survives
    stops = (1, 2, 3, 5, 8) if env in harness.GAMES_OF_A_STEP else (rounds // 3, 2 * rounds // 3)
    assert sorted({0, *stops, rounds - 1}) == [0, *stops, rounds - 1], "the stops must lie inside the run"

    current, lines, ticks = harness.experiment(algorithm, env, text), [], 0
    for stop_at in (*stops, None):
        recorder = harness.FakeRecorder()
        left = None if stop_at is None else stop_at - ticks

        class Stop:
            @property
            def requested(self, recorder=recorder, left=left) -> bool:
                return left is not None and len(recorder.ticks) >= left

        current.train(recorder, folder(tmp_path), Stop())
        lines += recorder.lines
        ticks += len(recorder.ticks)
        if stop_at is not None:
            assert ticks == stop_at
            current = harness.experiment(algorithm, env, text)
            torch.rand(5)  # a resumed process has drawn other numbers from torch's own generator
            state = load_checkpoint(tmp_path / "checkpoint.pt")
            del state["recorder"]
            current.load_state_dict(state)
    assert str(lines) == str(expected.lines)
    assert same(parameters(current), parameters(whole))
    assert same(current.learner.targets.networks.state_dict(), whole.learner.targets.networks.state_dict())
