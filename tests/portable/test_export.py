"""Exported policies beside `load_policy`, over whole episodes; what cannot be exported; the description."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cohort.cli import main
from cohort.components.distributions import Utilities
from cohort.controllers.heads import UtilityHead
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import Observation
from cohort.errors import UserError
from cohort.policy import load_policy
from cohort.portable.formats import TorchProgram, record
from cohort.portable.team import PortableTeam
from tests import harness
from tests.finished_runs import refusal

onnx = pytest.importorskip("onnxruntime", reason="needs requirements/export.txt")
SIM = "env_args.map_name=3m env_args.step_mul=4"
# algorithm, environment, what is typed besides, and the memory that has to be carried
CASES = {
    "qmix, a GRU that all share": ("qmix", "sc2_sim", SIM, ["hidden", "last_actions"]),
    "qmix, a GRU for each": ("qmix", "sc2_sim", f"{SIM} agent=own_rnn", ["hidden", "last_actions"]),
    "qmix, averaged": ("qmix", "sc2_sim", f"{SIM} policy_average=0.9 lr=0.01", ["hidden", "last_actions"]),
    "qmix, an MLP": ("qmix", "sc2_sim", f"{SIM} agent=mlp agent_hidden_dims=[8,8]", ["last_actions"]),
    "rode": (
        "rode",
        "sc2_sim",
        SIM,
        ["hidden", "last_actions", "role_hidden", "roles", "step"],
    ),
    "mappo": ("mappo", "sc2_sim", SIM, ["hidden", "last_actions"]),
    "vdac, values beside logits": ("vdac", "sc2_sim", SIM, ["hidden", "last_actions"]),
    "maac, batch-normed MLPs of their own": ("maac", "sc2_sim", SIM, []),
    "mamt_ppo, layer-normed MLPs of their own": ("mamt_ppo", "sc2_sim", SIM, []),
    "facmac_continuous, points": ("facmac_continuous", "going_together", "", []),
    "ader, squashed normals": ("ader", "continuous_matrix_game", "", []),
    "mappo, squashed normals": ("mappo", "going_together", "", None),
}


def trained(case: str, results: Path) -> Path:
    algorithm, env, text, _ = CASES[case]
    typed = f"{text} t_max=200 test_interval=100000 local_results_path={results}"
    words = harness.words(algorithm, env, typed)
    if "agent=mlp" in text:
        words = [word for word in words if not word.startswith("rnn_hidden_dim")]
    assert main(words) == 0
    return harness.only_run(results)


@torch.no_grad()
def played(policy, team, games: int, case: str) -> None:
    """One episode in each game, once by the run's policy and once by the file, each by its own memory."""
    discrete = not policy.team.spec.action_dim
    ours, theirs = policy.make_env(games, seed=games), policy.make_env(games, seed=games)
    remembered, memory = policy.begin(games), team.begin(games)
    mine, other = ours.reset(), theirs.reset()
    over = torch.zeros(games, dtype=torch.bool)
    for _ in range(policy.team.spec.episode_limit + 1):
        available = other.available_actions.numpy() if discrete else None
        if case != "rode":  # whose step in the episode is a number, which `act` alone reads
            values = policy.team.greedy_step(mine.obs, mine.available_actions, remembered).values
            torch.testing.assert_close(its_values(team, other, memory), values, rtol=1e-5, atol=1e-5)
        expected, remembered = policy.act(mine, remembered)
        actions, memory = team.act(other.obs.numpy(), available, memory)
        torch.testing.assert_close(torch.from_numpy(actions), expected, rtol=0, atol=1e-5)
        if getattr(remembered, "hidden", None) is not None:
            hidden = torch.from_numpy(memory["hidden"]).flatten()
            own = remembered.hidden
            own = own.transpose(0, 1) if own.dim() == 3 else own
            torch.testing.assert_close(hidden, own.flatten(), rtol=0, atol=1e-5)
        transition = ours.step(expected)
        mine, other = transition.observation, theirs.step(torch.from_numpy(actions)).observation
        over |= transition.terminated | transition.truncated
        if bool(over.all()):
            break
    assert bool(over.all())


@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_plays_whole_episodes_as_the_run_does(case, tmp_path):
    """Through the example's class, which knows neither Cohort nor torch."""
    from examples.onnx_team.onnx_team import OnnxTeam

    run = trained(case, tmp_path)
    assert main(["policy", str(run), "--to=onnx"]) == 0
    (path,) = (run / "policies").glob("*.onnx")
    team, policy = OnnxTeam(path), load_policy(run)
    carried = CASES[case][3]
    if carried is not None:
        assert list(team.begin(1)) == carried
    for games in (1, 4):  # one file for any number
        played(policy, team, games, case)


def its_values(team, seen: Observation, memory) -> torch.Tensor:
    given = {"observation": seen.obs.numpy(), "available_actions": seen.available_actions.numpy(), **memory}
    (values,) = team.session.run(["values"], {name: given[name] for name in team.inputs})
    return torch.from_numpy(values)


@pytest.mark.parametrize("case", ["qmix, a GRU that all share", "ader, squashed normals"])
def test_a_program_of_torch_export_does_the_same(case, tmp_path, capsys):
    run = trained(case, tmp_path)
    assert main(["policy", str(run), "--to=torch", "--out", str(tmp_path / "deep" / "mine.pt2")]) == 0
    assert "differ by 0.0e+00" in capsys.readouterr().out
    step = torch.export.load(tmp_path / "deep" / "mine.pt2").module()
    policy = load_policy(run)
    portable = PortableTeam(policy.team)
    for games in (1, 2, 7):
        seen: Observation = policy.make_env(games).reset()
        observed = [seen.obs] if policy.team.spec.action_dim else [seen.obs, seen.available_actions]
        expected, _ = policy.act(seen, policy.begin(games))
        torch.testing.assert_close(step(*observed, *portable.begin(games))[0], expected)


def test_the_description_says_what_one_needs(tmp_path, capsys):
    run = trained("qmix, a GRU that all share", tmp_path)
    assert main(["policy", str(run), "--to=onnx"]) == 0
    said = capsys.readouterr().out
    (path,) = (run / "policies").glob("*.json")
    assert str(path) in said
    told = json.loads(path.read_text())
    step = load_policy(run).step
    assert path.name == f"step{step}.onnx.json"
    assert (told["file"], told["step"], told["method"]) == (f"step{step}.onnx", step, "qmix")
    assert (told["environment"], told["task"], told["run"]) == ("sc2_sim", "3m", run.name)
    assert told["commit"]
    assert {"name": "observation", "dtype": "float32", "shape": ["batch", 3, 30]} in told["inputs"]
    assert {"name": "values", "dtype": "float32", "shape": ["batch", 3, 9]} in told["outputs"]
    assert {"input": "last_actions", "output": "next_last_actions", "initial": -1} in told["memory"]
    session = onnx.InferenceSession(run / "policies" / told["file"])
    for theirs, ours in ((session.get_inputs(), "inputs"), (session.get_outputs(), "outputs")):
        assert [(each.name, each.shape) for each in theirs] == [
            (each["name"], each["shape"]) for each in told[ours]
        ]
    assert not list((run / "policies").glob(".*")), "the trial is gone"


class Fickle(nn.Module):
    """A network that decides in Python."""

    def step(self, inputs, hidden):
        outputs = inputs[..., :4]
        return (outputs if float(outputs.sum()) > 0 else -outputs), None


def small_team(**parts) -> TeamPolicy:
    spec = harness.spec(n_actions=4)
    made = harness.plan("qmix", "matrix_games")
    team = made["mac"].create(
        spec=spec, agent=made["agent"].create, head=UtilityHead(None, spec=spec), action_selector=None
    )
    for name, part in parts.items():
        setattr(team, name, part)
    return team


def test_a_network_that_decides_in_python_is_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"cannot be exported: torch\.export says"):
        record(PortableTeam(small_team(network=Fickle())))


def test_a_memory_that_is_not_laid_out_by_games_is_refused():
    class Counting(nn.Module):
        def step(self, inputs, hidden):
            return inputs[..., :4], torch.zeros(5)

    with pytest.raises(UserError, match="hidden is not laid out by games"):
        PortableTeam(small_team(network=Counting()))


def test_a_policy_without_the_step_is_refused():
    class Other(nn.Module):
        pass

    with pytest.raises(UserError, match="Other cannot be exported: it has no greedy_step"):
        PortableTeam(Other())


def test_a_file_that_does_something_else_is_refused(tmp_path, monkeypatch, capsys):
    """As a policy whose `act` does more than the `greedy_step` it inherits."""
    run = trained("qmix, a GRU that all share", tmp_path)
    monkeypatch.setattr(
        TeamPolicy, "decide", lambda self, values, available: Backwards(self.head.decide(values, available))
    )
    capsys.readouterr()
    told = refusal(capsys, "policy", str(run), "--to=onnx")
    assert "the file's outputs differ from those of the run's networks" in told
    assert not list((run / "policies").iterdir())


class Backwards:
    """A decision that is another one each time it is asked."""

    asked = 0

    def __init__(self, decision) -> None:
        self.decision = decision

    @property
    def mode(self):
        Backwards.asked += 1
        values, available = self.decision.values, self.decision.available
        return Utilities(values if Backwards.asked % 2 else -values, available).mode


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to=onxx"], "onxx"),
        ([], "--to"),
        (["--to=onnx", "--stpe=3"], "Did you mean '--step'"),
        (["--to=onnx", "--best"], "There is no best model at"),
        (["--to=onnx", "--best", "--step=4"], "the best model is of a step of its own"),
    ],
)
def test_mistakes_are_told(words, told, tmp_path_factory, capsys):
    run = tmp_path_factory.getbasetemp() / "mistakes"
    if not run.exists():
        trained("qmix, an MLP", run)
    assert told in refusal(capsys, "policy", str(harness.only_run(run)), *words)


def test_a_missing_package_is_told_with_its_command(tmp_path, monkeypatch, capsys):
    import builtins

    whole = builtins.__import__

    def without(name, *arguments, **more):
        if name == "onnxscript":
            raise ImportError("none", name=name)
        return whole(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    told = refusal(capsys, "policy", str(tmp_path), "--to=onnx")
    assert "needs the package 'onnxscript'" in told
    assert "pip install -r requirements/export.txt" in told


def test_a_torch_program_needs_no_further_package():
    assert TorchProgram().suffix == ".pt2"
