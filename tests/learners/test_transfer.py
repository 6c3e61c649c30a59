"""`transfer_from`: what of another run's networks is taken over, and what is said about the rest."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cohort.cli import main
from cohort.learners.transfer import take_over
from cohort.policy import load_policy
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.builders import SMALL, make_learner
from tests.finished_runs import one_line, refusal

SIM = "env_args.step_mul=4 test_interval=100000"


def typed(algorithm: str, results: Path, text: str) -> list[str]:
    return harness.words(algorithm, "sc2_sim", f"{SIM} local_results_path={results} {text}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("trained")
    assert main(typed("qmix", results, "env_args.map_name=3m t_max=300 lr=0.01 policy_average=0.9")) == 0
    return harness.only_run(results)


def networks(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / "checkpoint.pt")["trainer"]["learner"]["networks"]


def test_the_same_map_begins_with_the_same_policy_and_everything_else_anew(trained, tmp_path, capsys):
    """No update comes in so few steps: what is tested at the end is what was taken over."""
    text = f"env_args.map_name=3m t_max=1 policy_average=0.9 transfer_from={trained}"
    assert main(typed("qmix", tmp_path, text)) == 0
    run = harness.only_run(tmp_path)
    ours, theirs = load_policy(run), load_policy(trained)
    env = theirs.make_env(games=4)
    observation = env.reset()
    memory, other = ours.begin(4), theirs.begin(4)
    for _ in range(20):
        mine = ours.team.greedy_step(observation.obs, observation.available_actions, memory)
        its = theirs.team.greedy_step(observation.obs, observation.available_actions, other)
        assert torch.equal(mine.values, its.values)
        memory, other = mine.memory, its.memory
        observation = env.step(its.actions).observation
    learners = [load_checkpoint(each / "checkpoint.pt")["trainer"]["learner"] for each in (run, trained)]
    for part in ("networks", "targets"):
        here, there = (each[part].get("networks", each[part]) for each in learners)
        assert here.keys() == there.keys()
        assert all(torch.equal(here[name], there[name]) for name in there)
    assert learners[0]["updates"] == 0 < learners[1]["updates"]
    assert set(learners[0]["targets"]["last_copy"].values()) == {0}
    assert not any(each["state"] for each in learners[0]["optimisers"].values())
    assert harness.metrics(run)[0]["t_env"] == 0
    report = json.loads((run / "transfer.json").read_text())
    assert report["from"] == str(trained / "checkpoint.pt")
    assert set(report["networks"]["matched"]) == set(networks(trained))
    assert not any(report["networks"][each] for each in ("other_shape", "only_here", "only_there"))
    assert "tensors taken over: policy 8 of 8, mixer" in one_line(capsys.readouterr().out)


def test_another_map_takes_what_fits_and_reports_the_rest(trained, tmp_path, capsys):
    text = f"env_args.map_name=8m t_max=1 transfer_from={trained}"
    assert main(typed("qmix", tmp_path, text)) == 0
    run = harness.only_run(tmp_path)
    report = json.loads((run / "transfer.json").read_text())["networks"]
    here, there = networks(run), networks(trained)
    encoder = "policy.network.encoder.weight"
    assert report["other_shape"][encoder] == {
        "there": list(there[encoder].shape),
        "here": list(here[encoder].shape),
    }
    fresh = networks_of_a_fresh_run(tmp_path / "fresh", "env_args.map_name=8m t_max=1")
    for name in report["matched"]:
        assert torch.equal(here[name], there[name])
    for name in report["other_shape"]:
        assert torch.equal(here[name], fresh[name]), "the rest is as it begins in any run"
    recurrent = "policy.network.rnn.weight_hh_l0"
    assert recurrent in report["matched"]
    assert not torch.equal(here[recurrent], fresh[recurrent])
    assert {*report["matched"], *report["other_shape"]} == set(here)
    said = one_line(capsys.readouterr().out)
    shapes = f"{encoder}: {list(there[encoder].shape)} there, {list(here[encoder].shape)} here"
    assert shapes in said
    assert "tensors taken over: policy 5 of 8" in said
    assert shapes in one_line((run / "console.log").read_text())


def networks_of_a_fresh_run(results: Path, text: str) -> dict[str, torch.Tensor]:
    assert main(typed("qmix", results, text)) == 0
    return networks(harness.only_run(results))


def test_a_resumed_run_takes_nothing_over_again(trained, tmp_path):
    text = f"env_args.map_name=3m transfer_from={trained} log_interval=40 checkpoint_interval=40"
    assert main(typed("qmix", tmp_path / "straight", f"{text} t_max=400")) == 0
    assert main(typed("qmix", tmp_path / "halved", f"{text} t_max=200")) == 0
    run = harness.only_run(tmp_path / "halved")
    assert main([f"--resume={run}", "with", "t_max=400"]) == 0
    ours, theirs = networks(run), networks(harness.only_run(tmp_path / "straight"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_another_method_takes_the_policy_and_begins_its_own_mixer(trained, tmp_path, capsys):
    assert main(typed("vdn", tmp_path, f"env_args.map_name=3m t_max=1 transfer_from={trained}")) == 0
    report = json.loads((harness.only_run(tmp_path) / "transfer.json").read_text())["networks"]
    assert len(report["matched"]) == 8
    assert report["only_there"]
    assert all(name.startswith("mixer.") for name in report["only_there"])
    assert "only there" in capsys.readouterr().out


def test_targets_are_taken_over_and_one_that_was_not_saved_is_a_copy_of_the_live_network():
    there, here = make_learner("qmix", seed=1), make_learner("qmix", seed=2, policy_average=0.9)
    for parameter in there.targets.networks.parameters():
        parameter.data += 1
    reports = here.transfer(there.state_dict())
    for name, ours in here.targets["policy"].state_dict().items():
        assert torch.equal(ours, there.targets["policy"].state_dict()[name])
    for name, ours in here.targets["averaged_policy"].state_dict().items():
        assert torch.equal(ours, there.networks["policy"].state_dict()[name])
    assert all(each.startswith("averaged_policy.") for each in reports["targets"].only_here)
    assert not reports["networks"].only_here


def test_optimisers_move_what_was_taken_over():
    """Weights are parts of long tensors that optimisers hold: they are written in place."""
    there, here = make_learner("qmix", seed=1), make_learner("qmix", seed=2)
    here.transfer(there.state_dict())
    for name in here.optimisers:
        flat = here._minimisers[name].flat
        for piece, whole in zip(flat.pieces, flat.flat, strict=True):
            assert torch.equal(torch.cat([each.detach().flatten() for each in piece]), whole)


def test_buffers_of_one_module_go_together():
    class Part(nn.Module):
        def __init__(self, actions: int) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)
            self.register_buffer("exists", torch.full((4,), float(actions)))
            self.register_buffer("allowed", torch.full((4, actions), float(actions)))

    there, here, alike = (nn.ModuleDict({"a": Part(actions)}) for actions in (5, 6, 5))
    alike["a"].exists.zero_()
    report = take_over(here, there.state_dict())
    assert report.together == ["a.exists"]
    assert report.other_shape == {"a.allowed": ([4, 5], [4, 6])}
    assert report.matched == ["a.linear.weight", "a.linear.bias"]
    assert here["a"].exists.tolist() == [6.0] * 4
    assert list(report.of_networks()) == [("a", 2, 4)]
    assert take_over(alike, there.state_dict()).together == []
    assert alike["a"].exists.tolist() == [5.0] * 4


def test_agents_with_weights_of_their_own_are_taken_over_by_number():
    there = make_learner("qmix", SMALL, seed=1, agent="own_rnn")
    here = make_learner("qmix", harness.spec(n_agents=5, n_actions=4, obs_dim=5), seed=2, agent="own_rnn")
    report = here.transfer(there.state_dict())["networks"]
    assert "policy.network.networks.2.rnn.weight_hh_l0" in report.matched
    assert "policy.network.networks.4.rnn.weight_hh_l0" in report.only_here


def test_nothing_in_common_is_refused(trained, tmp_path, capsys):
    words = harness.words("adama", "going_together", f"transfer_from={trained} local_results_path={tmp_path}")
    said = refusal(capsys, *words)
    assert f"transfer_from={trained}: nothing in" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("transfer_from=/no/such/run", "transfer_from=/no/such/run: there is no such folder"),
        ("transfer_from=run.py", "transfer_from=run.py is a file"),
        ("transfer_from=a checkpoint_path=b", "give one of them"),
        ("transfer_from=a evaluate=True", "evaluate=True needs checkpoint_path"),
    ],
)
def test_mistakes_are_told(text, told, tmp_path, capsys):
    assert told in refusal(capsys, *typed("qmix", tmp_path, text))
    assert not list(tmp_path.iterdir())


def test_weights_go_from_team_to_team(trained, tmp_path, capsys):
    words = ["--config=meta_mapg", "--env-config=ipd", "with", f"transfer_from={trained}", "use_cuda=False"]
    assert "weights go from team to team" in refusal(capsys, *words, f"local_results_path={tmp_path}")
    assert not list(tmp_path.iterdir())
