"""Meta-training end to end: what is counted, validated, chosen, tested, saved."""

import math

import pytest
import torch

from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from cohort.errors import UserError
from cohort.experiment import Experiment
from cohort.policy import load_policy
from cohort.recording.checkpoints import load_checkpoint
from cohort.recording.folder import RunFolder
from tests import harness

METHODS = (
    *(
        "meta_mapg",
        "meta_mapg_om",
        "meta_pg",
        "meta_mapg_no_own",
        "meta_mapg_own_constant",
        "reinforce",
        "lola_dice",
        "meta_mapg_exact",
    ),
)
PERSISTENT = ("reinforce", "lola_dice")
SMALL = {
    "use_cuda": False,
    "chain_length": 2,
    "chains": 2,
    "val_interval": 2,
    "personas_train": 4,
    "personas_validation": 1,
    "personas_test": 1,
}
SAMPLED = {"trajectories": 3, "rnn_hidden_dim": 4}
STEPS = 6


def typed(method: str, **more) -> dict:
    sampled = {} if method == "meta_mapg_exact" else SAMPLED
    env_args = {"episode_limit": STEPS, **more.pop("env_args", {})}
    return {**SMALL, **sampled, "env_args": env_args, **more}


def experiment(method: str, env: str = "ipd", **more) -> Experiment:
    return Experiment(make_plan(Sources.read(method, env, typed(method, **more))), lambda line: None)


def words(method: str, env: str, results, **more) -> list[str]:
    given = typed(method, local_results_path=str(results), **more)
    env_args = given.pop("env_args")
    pairs = [f"{key}={value}" for key, value in given.items()]
    pairs += [f"env_args.{key}={value}" for key, value in env_args.items()]
    return [f"--config={method}", f"--env-config={env}", "with", *pairs]


def steps_per_update(method: str) -> int:
    """Two chains of three joint policies: matches of each, and LOLA's imagined ones."""
    matches = {"meta_mapg_exact": 1, "lola_dice": 3 * 3}.get(method, 3)
    return 2 * 3 * STEPS * matches


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("env", "n_agents"), [("ipd", 2), ("rps", 3)])
def test_every_method_learns_among_any_number_of_peers(method, env, n_agents, tmp_path):
    each = steps_per_update(method)
    subject = experiment(
        method,
        env,
        env_args={"n_agents": n_agents},
        t_max=4 * each,
        test_interval=2 * each,
        log_interval=2 * each,
    )
    before = subject.learner.snapshot()
    recorder = harness.train(subject, RunFolder(tmp_path))
    assert recorder.ticks == [each, 2 * each, 3 * each, 4 * each]
    last = {name: value for *_, line in recorder.lines for name, value in line.items()}
    expected = {
        "return_mean",
        "auc",
        "val_auc",
        "val_auc_best",
        "test_return_mean",
        "test_auc",
        "test_auc_above",
    }
    expected |= {
        f"{prefix}reward_phi_{place}" for prefix in ("", "test_", "test_peer_") for place in range(3)
    }
    if n_agents == 2:
        expected |= {f"test_auc_{name}" for name in subject.trainer.game.temperaments}
    assert expected <= last.keys()
    assert all(math.isfinite(value) for value in last.values()), last
    after = subject.learner.snapshot()
    assert any(not torch.equal(before["first"][name], each) for name, each in after["first"].items())
    assert torch.equal(before["rates"], after["rates"]) == (method in PERSISTENT)
    assert subject.learner.updates == 4


@pytest.mark.parametrize("terms", ["all", "last"])
@pytest.mark.parametrize("method", METHODS)
def test_a_chain_may_be_of_one_update(method, terms):
    """Then no peer's term knows the only step size where the own sum is left out: it stays where it is."""
    outer = (
        {"outer_terms": terms} if ("mapg" in method and "exact" not in method) or method == "meta_pg" else {}
    )
    subject = experiment(method, chain_length=1, **outer)
    before = subject.learner.snapshot()
    subject.trainer.iterate()
    after = subject.learner.snapshot()
    assert any(not torch.equal(before["first"][name], each) for name, each in after["first"].items())
    stays = method in (*PERSISTENT, "meta_mapg_no_own")
    assert torch.equal(before["rates"], after["rates"]) == stays


def test_the_curve_and_its_sums_agree(tmp_path):
    recorder = harness.train(experiment("meta_mapg", t_max=1), RunFolder(tmp_path))
    line = {name: value for *_, metrics in recorder.lines for name, value in metrics.items()}
    for of in ("", "_cooperating", "_defecting"):
        curve = [line[f"test_reward_phi_{place}{of}"] for place in range(3)]
        assert line[f"test_auc{of}"] == pytest.approx(sum(curve[1:]))
        assert line[f"test_auc_above{of}"] == pytest.approx(sum(curve[1:]) + 2)
        assert line[f"test_return_mean{of}"] == pytest.approx(sum(curve) / 3)
    parts = line["test_auc_cooperating"], line["test_auc_defecting"]
    assert "test_auc_sum" not in line, "exactly twice test_auc: no number of its own"
    assert line["test_auc"] == pytest.approx(sum(parts) / 2)


@pytest.mark.parametrize("method", ["meta_mapg", "lola_dice", "meta_mapg_exact"])
def test_what_agents_did_explains_what_they_got(method):
    """In the dilemma a step pays -1/2, less 1 for one's own cooperation, and 2 for the other's."""
    found = experiment(method).trainer.evaluate()
    for of in ("cooperating", "defecting"):
        for place in range(3):
            own, peer = (
                [found[f"test_{whose}action_{action}_phi_{place}_{of}"] for action in ("defect", "cooperate")]
                for whose in ("", "peer_")
            )
            assert (sum(own), sum(peer)) == pytest.approx((1, 1))
            reward, peer_reward = -0.5 - own[1] + 2 * peer[1], -0.5 - peer[1] + 2 * own[1]
            assert found[f"test_reward_phi_{place}_{of}"] == pytest.approx(reward, abs=1e-6)
            assert found[f"test_peer_reward_phi_{place}_{of}"] == pytest.approx(peer_reward, abs=1e-6)
    assert found["test_peer_action_cooperate_phi_0_cooperating"] > 0.5


def test_validation_chooses_what_is_tested_and_leaves_training_alone():
    trainer = experiment("meta_mapg").trainer
    learner = trainer.learner
    scores = iter([0.5, 0.9, 0.7])
    adapt, begun = learner.adapt, []

    def scored(peers, draws):
        begun.append(learner.snapshot())
        found = adapt(peers, draws)
        result = torch.zeros_like(found.scores)
        result[:, 1, 0] = next(scores, 0.0)
        return found._replace(scores=result)

    learner.adapt = scored
    for _ in range(6):
        trainer.iterate()
    assert trainer.validation == {
        "val_auc": pytest.approx(0.7),
        "val_auc_best": pytest.approx(0.9),
        "val_updates_best": 4.0,
    }
    now = learner.snapshot()
    trainer.evaluate()
    assert len(begun) == 4
    for name, each in begun[-1]["first"].items():
        assert torch.equal(each, begun[1]["first"][name])
        assert torch.equal(now["first"][name], learner.first[name])
    assert not torch.equal(begun[-1]["rates"], now["rates"])


def test_before_any_validation_the_model_of_the_moment_is_tested():
    trainer = experiment("reinforce").trainer
    first = trainer.evaluate()
    assert trainer.evaluate() == first, "the test's random numbers are the same each time"
    trainer.iterate()
    assert trainer.learner.best is None
    assert trainer.evaluate() != first


@pytest.mark.parametrize("method", ["meta_mapg_om", "lola_dice", "meta_mapg_exact"])
def test_a_run_stopped_anywhere_and_resumed_is_the_run_never_stopped(method, tmp_path):
    each = steps_per_update(method)
    times = {"t_max": 6 * each, "test_interval": 3 * each, "log_interval": 2 * each}
    expected = harness.train(experiment(method, **times), RunFolder(tmp_path)).lines
    lines, current = [], experiment(method, **times)
    for stops_after in (1, 2, None):
        recorder = harness.FakeRecorder()

        class Stop:
            @property
            def requested(self, recorder=recorder, limit=stops_after) -> bool:
                return limit is not None and len(recorder.ticks) >= limit

        current.train(recorder, RunFolder(tmp_path), Stop())
        lines += recorder.lines
        if stops_after is not None:
            current = experiment(method, **times)
            state = load_checkpoint(tmp_path / "checkpoint.pt")
            del state["recorder"]
            current.load_state_dict(state)
    assert str(lines) == str(expected)


def test_testing_more_often_leaves_training_as_it_is(tmp_path):
    each = steps_per_update("meta_mapg")
    found = []
    for test_interval in (each, 100 * each):
        subject = experiment("meta_mapg", t_max=3 * each, test_interval=test_interval, log_interval=each)
        recorder = harness.train(subject, RunFolder(tmp_path))
        found.append(
            [
                {name: value for name, value in metrics.items() if not name.startswith("test_")}
                for *_, metrics in recorder.lines
                if "return_mean" in metrics
            ]
        )
    assert str(found[0]) == str(found[1])


@pytest.mark.parametrize("method", ["meta_mapg", "meta_mapg_om"])
def test_chains_at_once_change_nothing_but_memory(method):
    found = []
    for at_once in (1, 2):
        trainer = experiment(method, chains_at_once=at_once).trainer
        trainer.iterate()
        found.append(trainer.learner.snapshot()["first"])
    for name, each in found[0].items():
        torch.testing.assert_close(each, found[1][name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("method", "more", "at_once"), [
    ("meta_mapg", {}, 3), ("reinforce", {"chains_at_once": 2}, 6), ("lola_dice", {"look_aheads": 1}, 1),
    ("lola_dice", {"chains_at_once": 2, "look_aheads": 4}, 1),
])  # fmt: skip
def test_chains_that_adapt_are_as_many_as_have_no_larger_graphs_than_those_learned_from(
    method, more, at_once
):
    """A learned chain has the graphs of L + 1 = 3 stages, an adapting one of one, looks ahead included."""
    assert experiment(method, **more).trainer.learner.adapting_at_once == at_once


@pytest.mark.parametrize("method", ["meta_mapg", "reinforce", "lola_dice"])
def test_what_an_adapting_chain_comes_to_does_not_depend_on_those_beside_it(method):
    one, five = (
        experiment(method, chains_at_once=at_once, personas_test=4).trainer.evaluate() for at_once in (1, 5)
    )
    assert one == pytest.approx(five, rel=1e-5, abs=1e-6)


def test_from_the_command_line_to_the_record_and_a_later_evaluation(tmp_path, capsys):
    runs, evaluated = tmp_path / "runs", tmp_path / "evaluated"
    t_max = 4 * steps_per_update("meta_mapg")
    assert main(words("meta_mapg", "ipd", runs, t_max=t_max)) == 0
    run = harness.only_run(runs)
    assert run.name.startswith("meta_mapg__ipd__seed1__")
    assert (run / "curve.png").is_file()
    logged = harness.metrics(run)[-1]["metrics"]
    typed_again = {"evaluate": True, "checkpoint_path": str(run)}
    assert main(words("meta_mapg", "ipd", evaluated, **typed_again)) == 0
    (line,) = harness.metrics(harness.only_run(evaluated))
    assert line["metrics"] == {name: value for name, value in logged.items() if name.startswith("test_")}
    with pytest.raises(UserError, match="meta-agent"):
        load_policy(run)
    capsys.readouterr()
    refused = words("meta_mapg", "ipd", evaluated, **typed_again, save_replay=True)
    assert main(refused) == 2
    assert "no game to watch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "env", "more", "told"),
    [
        ("meta_mapg", "matrix_games", [], "--env-config can be: halfcheetah_dir"),
        ("meta_mapg", "ipd", ["trainer=off_policy"], "do not fit together"),
        ("qmix", "ipd", ["trainer=meta_learning"], "do not fit together"),
        ("meta_mapg", "ipd", ["mac=basic_mac"], "trainer 'meta_learning' has no mac"),
        ("meta_mapg", "ipd", ["dice_nodes=own"], "needs dice_nodes=all"),
        ("meta_pg", "ipd", ["own_term=False"], "own_term=False needs peer_learning=True"),
        ("meta_mapg", "ipd", ["env_args.n_agents=3"], "n_agents=2"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_screen(config, env, more, told, tmp_path, capsys):
    typed_words = ["use_cuda=False", f"local_results_path={tmp_path}", *more]
    assert main([f"--config={config}", f"--env-config={env}", "with", *typed_words]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_population_travels_with_the_run():
    one, other = experiment("meta_mapg").trainer, experiment("meta_mapg", seed=2).trainer
    other.load_state_dict(one.state_dict())
    for split, personas in one.population.items():
        assert torch.equal(personas.logits, other.population[split].logits)
    assert one.population["test"].logits.shape == (2, 5, 2)
