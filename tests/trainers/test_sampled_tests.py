"""`test_greedy: False`: evaluations draw by the policy's own chances, from a random stream of their own."""

import copy
import math
from pathlib import Path

import pytest
import torch

from cohort.cli import main
from cohort.policy import load_policy
from cohort.recording.checkpoints import load_checkpoint, save_atomically
from tests import harness
from tests.envs.sc2_sim.test_env import assert_same
from tests.finished_runs import refusal

CHANCES = torch.tensor([0.6, 0.3, 0.1])  # of rock, paper, scissors
GAME = "env_args.episode_limit=20"
MIXED = "action_selector=epsilon_sampling epsilon_start=1 epsilon_finish=1 epsilon_anneal_time=1"


def biased(network: torch.nn.Module) -> None:
    """Let a policy for rps play by `CHANCES`, whatever it sees."""
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(CHANCES.log())


def shares(actions: torch.Tensor) -> torch.Tensor:
    return torch.bincount(actions.flatten(), minlength=3) / actions.numel()


def bound(actions: torch.Tensor) -> float:
    """Five standard errors of a share."""
    return 5 * math.sqrt(0.25 / actions.numel())


@pytest.mark.parametrize("text", ["", MIXED], ids=["sampling", "all exploration is uniform"])
def test_actions_of_a_test_are_drawn_by_the_policys_own_chances(text):
    """Of a policy that is known; epsilon, here 1, is exploration's alone. Greedily all are the likeliest."""
    played = {}
    for greedy in (False, True):
        subject = harness.experiment("ippo", "rps", f"{GAME} test_nepisode=256 test_greedy={greedy} {text}")
        biased(subject.trainer.policy.network)
        actions = subject.trainer.test_runner.run(t_env=0, explore=False).actions  # [B, T, 2]
        played[greedy] = shares(actions)
        explored = subject.trainer.runner.run(t_env=0, explore=True).actions
        expected = torch.full((3,), 1 / 3) if text else CHANCES
        assert (shares(explored) - expected).abs().max() < 2 * bound(explored)
    assert (played[False] - CHANCES).abs().max() < bound(actions)
    assert played[True].tolist() == [1, 0, 0]


def test_continuous_actions_of_a_test_are_drawn_from_the_squashed_normal():
    text = "test_nepisode=64 test_greedy=False"
    trainer = harness.experiment("mappo", "going_together", text).trainer
    head = trainer.policy.network.head
    mean, deviation = 0.3, 0.5
    size = trainer.policy.spec.action_dim
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(mean)
        for name, parameter in trainer.policy.named_parameters():
            if "log_std" in name:
                parameter.fill_(math.log(deviation))
    episodes = trainer.test_runner.run(t_env=0, explore=False)
    u = torch.atanh(episodes.actions[episodes.mask].double())  # [P, N, U]
    assert u.shape[-1] == size
    error = deviation / math.sqrt(u.numel())
    assert float(u.mean()) == pytest.approx(mean, abs=5 * error)
    assert float(u.std()) == pytest.approx(deviation, abs=5 * error)


@pytest.mark.parametrize(
    ("algorithm", "env"),
    [("qmix", "sc2_sim"), ("rode", "sc2_sim"), ("maddpg_fixed_lr", "going_together")],
)
def test_where_a_policy_has_no_chances_nothing_is_drawn(algorithm, env):
    """Utilities and points: epsilon, or noise, is exploration's, as in PyMARL."""
    found = []
    for greedy in (True, False):
        trainer = harness.experiment(algorithm, env, f"test_greedy={greedy}").trainer
        before = trainer.test_runner.generator.get_state()
        episodes = trainer.test_runner.run(t_env=0, explore=False)
        assert torch.equal(trainer.test_runner.generator.get_state(), before)
        found.append(episodes)
    assert torch.equal(found[0].actions, found[1].actions)
    assert torch.equal(found[0].obs, found[1].obs)


@pytest.mark.parametrize(
    ("algorithm", "env", "text"),
    [
        ("mappo", "matrix_games", ""),
        ("mappo", "going_together", ""),
        ("coma", "matrix_games", MIXED),
        ("fop", "sc2_sim", "runner=refilling"),
        ("ader", "matrix_games", ""),
        ("maac", "matrix_games", ""),
        ("ippo", "rps", f"{GAME} teams.one=0 teams.two.copy_of=one teams.two.copy_interval=30"),
    ],
)
def test_training_does_not_notice_how_or_how_often_one_tests(algorithm, env, text):
    states, tests = [], []
    for greedy, evaluations in ((True, 1), (False, 0), (False, 1), (False, 3)):
        trainer = harness.experiment(algorithm, env, f"{text} test_greedy={greedy}").trainer
        tested = []
        for _ in range(4):
            tested += [trainer.evaluate() for _ in range(evaluations)]
            trainer.iterate()
        assert trainer.learner.updates > 0
        own = {name: part for name, part in trainer.state_dict().items() if name != "test_runner"}
        states.append((own, trainer.metrics()))
        tests.append(tested)
    for state in states[1:]:
        assert_same(state, states[0])
    assert tests[2] != tests[0], "they were drawn"


def test_a_restored_run_draws_what_it_would_have_drawn():
    first, second = (
        harness.experiment("ippo", "rps", f"{GAME} test_greedy=False seed={seed}").trainer for seed in (1, 2)
    )
    for _ in range(2):
        first.iterate()
        first.evaluate()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    played = [each.test_runner.run(t_env=0, explore=False).actions for each in (first, second)]
    assert torch.equal(*played)
    assert first.evaluate() == second.evaluate()
    again = first.test_runner.run(t_env=0, explore=False).actions
    assert not torch.equal(again, played[0]), "every test draws anew"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run that is tested by drawing and plays by `CHANCES`."""
    results = tmp_path_factory.mktemp("drawn")
    assert (
        main(harness.words("ippo", "rps", f"{GAME} t_max=1 test_greedy=False local_results_path={results}"))
        == 0
    )
    found = harness.only_run(results)
    state = load_checkpoint(found / "checkpoint.pt")
    networks = state["trainer"]["learner"]["networks"]
    networks["policy.network.head.weight"].zero_()
    networks["policy.network.head.bias"].copy_(CHANCES.log())
    save_atomically(state, found / "checkpoint.pt")
    return found


def test_a_loaded_policy_plays_as_its_run_is_tested(run):
    policy, other = load_policy(run), load_policy(run)
    env = policy.make_env(games=200)
    actions = policy.play(env, 200).actions
    assert (shares(actions) - CHANCES).abs().max() < bound(actions)
    observation, memory = env.reset(), other.begin(games=200)
    for step in range(20):  # step by step the same draws
        chosen, memory = other.act(observation, memory)
        assert torch.equal(chosen, actions[:, step])
        observation = env.step(chosen).observation


def test_an_evaluation_and_an_exported_file_follow_the_key(run, tmp_path, capsys):
    """Two that always play rock are paid nothing. A file is greedy, whatever the run's tests are."""
    text = f"{GAME} evaluate=True checkpoint_path={run} test_nepisode=4"
    for greedy in (True, False):
        place = tmp_path / str(greedy)
        words = harness.words("ippo", "rps", f"{text} test_greedy={greedy} local_results_path={place}")
        assert main(words) == 0
        (line,) = harness.metrics(harness.only_run(place))
        assert (line["metrics"]["test_agent_0_return_mean"] == 0) is greedy
    assert main(["policy", str(run), "--to=torch", f"--out={tmp_path / 'team.pt2'}"]) == 0
    assert "greedy" in capsys.readouterr().out


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("greedy", [True, False])
def test_a_side_that_learns_is_tested_as_the_key_says_and_an_opponent_plays_as_it_is_told(run, drawn, greedy):
    text = f"{GAME} test_greedy={not drawn} teams.one=0 teams.two.policy={run} teams.two.greedy={greedy}"
    trainer = harness.experiment("ippo", "rps", f"{text} test_nepisode=256").trainer
    biased(trainer.policy.players[0].policy.network)
    for explore in (True, False):
        actions = trainer.test_runner.run(t_env=0, explore=explore).actions
        chance = (explore or drawn, not greedy)
        for side in range(2):
            played = actions[..., side]
            expected = CHANCES if chance[side] else torch.tensor([1.0, 0.0, 0.0])
            assert (shares(played) - expected).abs().max() < bound(played)


def test_meta_learning_has_tests_of_its_own_and_refuses_the_key(capsys):
    said = refusal(capsys, "--config=meta_mapg", "--env-config=ipd", "with", "test_greedy=False")
    assert "test_greedy = False" in said
    assert "no component of this run reads it" in said
