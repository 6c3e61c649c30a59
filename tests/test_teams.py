"""Whole runs whose game has sides: opponents from a run's folder, past copies, what is recorded, resuming."""

import math
from pathlib import Path

import pytest
import torch

from cohort.cli import main
from cohort.envs.base import Observation
from cohort.policy import load_policy
from cohort.recording.checkpoints import load_checkpoint, save_atomically
from tests import harness
from tests.finished_runs import refusal

STEPS = 20  # of a match
CHANCES = (0.6, 0.3, 0.1)  # of rock, paper, scissors
# what rock, paper and scissors get from one who plays so: the closed form, by who beats whom
VALUES = (CHANCES[2] - CHANCES[1], CHANCES[0] - CHANCES[2], CHANCES[1] - CHANCES[0])
GAME = f"env_args.episode_limit={STEPS}"


def words(algorithm: str, results: Path, text: str) -> list[str]:
    return harness.words(algorithm, "rps", f"{GAME} local_results_path={results} {text}")


@pytest.fixture(scope="module")
def biased(tmp_path_factory) -> Path:
    """A run whose policy plays by `CHANCES`, whatever it sees."""
    results = tmp_path_factory.mktemp("biased")
    assert main(words("ippo", results, "t_max=1")) == 0
    run = harness.only_run(results)
    state = load_checkpoint(run / "checkpoint.pt")
    networks = state["trainer"]["learner"]["networks"]
    networks["policy.network.head.weight"].zero_()
    networks["policy.network.head.bias"].copy_(torch.tensor(CHANCES).log())
    save_atomically(state, run / "checkpoint.pt")
    return run


@pytest.fixture(scope="module")
def sided(tmp_path_factory) -> Path:
    """A run in which two sides have learned a little."""
    results = tmp_path_factory.mktemp("sided")
    assert main(words("ippo", results, "t_max=200 teams.one=0 teams.two=1 lr=0.01")) == 0
    return harness.only_run(results)


def networks(experiment, name: str) -> dict[str, torch.Tensor]:
    (player,) = (each for each in experiment.trainer.policy.players if each.side.name == name)
    return {key: value.clone() for key, value in player.policy.state_dict().items()}


def equal(some: dict, others: dict) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)


@pytest.mark.parametrize("algorithm", ["iql", "ippo"])
def test_the_best_response_to_a_biased_opponent_gets_its_closed_form(algorithm, biased):
    """Paper against one who mostly plays rock: 0.6 - 0.1 a step."""
    text = f"{GAME} teams.one=0 teams.two.policy={biased} teams.two.greedy=False batch_size_run=16 test_nepisode=256"
    text += {
        "iql": " lr=0.02 epsilon_anneal_time=2000 batch_size=16 buffer_size=500 gamma=0",
        "ippo": " lr=0.02 critic_lr=0.02 epochs=5",
    }[algorithm]
    subject = harness.experiment(algorithm, "rps", text)
    theirs = networks(subject, "two")
    for _ in range(15):
        subject.trainer.iterate()
    tested = subject.trainer.test_runner.run(t_env=0, explore=False)
    assert max(VALUES) == VALUES[1] == pytest.approx(0.5)
    assert (tested.actions[..., 0] == 1).all()
    variance = CHANCES[0] + CHANCES[2] - VALUES[1] ** 2
    error = math.sqrt(variance * STEPS / 256)
    scores = subject.evaluate()
    assert scores["one/test_return_mean"] == pytest.approx(VALUES[1] * STEPS, abs=4 * error)
    assert scores["two/test_return_mean"] == -scores["one/test_return_mean"]
    assert equal(theirs, networks(subject, "two")), "the opponent has not moved by a bit"
    played = torch.bincount(tested.actions[..., 1].flatten(), minlength=3) / tested.actions[..., 1].numel()
    assert torch.allclose(played, torch.tensor(CHANCES), atol=0.03), "it is drawn in evaluations too"


NOT_TAUGHT = (
    *harness.META_MIXING,
    *harness.CONTINUOUS,
    *harness.FACTORED_CONTINUOUS,
)  # refused, or other actions


@pytest.mark.parametrize("algorithm", [each for each in harness.ALGORITHMS if each not in NOT_TAUGHT])
def test_every_method_for_one_team_teaches_two_sides(algorithm):
    text = f"{GAME} env_args.n_agents=4 teams.one=[0,2] teams.two=[1,3]"
    if algorithm in (*harness.ATTENTIVE, *harness.REPLAYED_ACTORS) and algorithm != "mamt_ppo":
        text += " standardise_rewards=False"
    if algorithm == "rode":
        text += " n_role_clusters=2"
    subject = harness.experiment(algorithm, "rps", text)
    before = {name: networks(subject, name) for name in ("one", "two")}
    for _ in range(4):
        subject.trainer.iterate()
    assert subject.learner.updates > 0
    found = subject.trainer.metrics()
    assert {name.partition("/")[2] for name in found if name.startswith("one/")} == {
        name.partition("/")[2] for name in found if name.startswith("two/")
    }
    assert all(not equal(before[name], networks(subject, name)) for name in before)
    subject.evaluate()


@pytest.mark.parametrize("source", ["biased", "sided"])
def test_a_guest_plays_as_its_own_run_is_tested(source, request):
    """Step by step beside `load_policy`, its recurrent memory too, on what it saw."""
    run = request.getfixturevalue(source)
    subject = harness.experiment("iql", "rps", f"{GAME} teams.one=1 teams.two.policy={run}")
    episodes = subject.trainer.runner.run(t_env=0, explore=True)
    policy = load_policy(run)
    env = policy.make_env(games=episodes.batch_size)
    observation, memory = env.reset(), policy.begin(episodes.batch_size)
    for step in range(STEPS):
        actions, memory = policy.act(observation, memory)
        assert torch.equal(actions[:, 0], episodes.actions[:, step, 0])
        observation = env.step(episodes.actions[:, step]).observation
        assert torch.equal(observation.obs, episodes.obs[:, step + 1])


def test_one_side_of_all_agents_learns_what_the_team_learns():
    text = f"{GAME} lr=0.01"
    team = harness.experiment("iql", "ipd", text).trainer
    side = harness.experiment("iql", "ipd", f"{text} teams.all.reward=own").trainer
    for _ in range(6):
        team.iterate()
        side.iterate()
    expected, found = team.metrics(), side.metrics()
    shared = expected.keys() & found.keys()
    assert {"return_mean", "agent_0_return_mean", "epsilon", "updates_per_episode"} <= shared
    assert {name: found[name] for name in shared} == {name: expected[name] for name in shared}
    assert {name: found[f"all/{name}"] for name in expected.keys() - shared} == {
        name: expected[name] for name in expected.keys() - shared
    }
    assert team.evaluate().items() <= side.evaluate().items()


def test_each_sides_return_is_recorded_and_may_choose_the_best_model(sided, tmp_path):
    lines = harness.metrics(sided)
    assert all(
        "one/test_return_mean" in line["metrics"] for line in lines if "test_return_mean" in line["metrics"]
    )
    last = lines[-1]["metrics"]
    assert last["one/return_mean"] == last["agent_0_return_mean"] == -last["two/return_mean"]
    assert {"one/actor_loss", "two/actor_loss"} <= last.keys()
    text = f"t_max=60 teams.one=0 teams.two.policy={sided} save_best=one/test_return_mean"
    assert main(words("ippo", tmp_path, text)) == 0
    assert load_policy(harness.only_run(tmp_path), best=True).begin(2)


def three(opponent: Path) -> str:
    """One learns, one is its past copy, one comes from elsewhere; both opponents draw their actions."""
    return (
        f"{GAME} env_args.n_agents=3 teams.one=0 teams.two.agents=1 teams.two.copy_of=one teams.two.copy_interval=70 "
        f"teams.two.greedy=False teams.three.agents=2 teams.three.policy={opponent} teams.three.greedy=False"
    )


@pytest.fixture
def opponent(tmp_path) -> Path:
    """A run of the game of three that a test may harm."""
    assert main(words("ippo", tmp_path / "opponent", "t_max=100 env_args.n_agents=3")) == 0
    return harness.only_run(tmp_path / "opponent")


@pytest.mark.parametrize("algorithm", ["iql", "ippo"])
def test_a_restored_run_goes_on_the_same_whatever_became_of_its_opponents_run(algorithm, opponent, tmp_path):
    first = harness.experiment(algorithm, "rps", three(opponent))
    for _ in range(4):
        first.trainer.iterate()
        first.evaluate()
    save_atomically(first.state_dict(), tmp_path / "saved.pt")
    state = load_checkpoint(opponent / "checkpoint.pt")
    for weight in state["trainer"]["learner"]["networks"].values():
        weight.add_(1.0)
    save_atomically(state, opponent / "checkpoint.pt")
    second = harness.experiment(algorithm, "rps", f"{three(opponent)} seed=2")
    assert not equal(networks(first, "three"), networks(second, "three"))
    second.load_state_dict(load_checkpoint(tmp_path / "saved.pt"))
    for name in ("one", "two", "three"):
        assert equal(networks(first, name), networks(second, name))
    found = []
    for each in (first, second):
        seen = []
        for _ in range(5):
            each.trainer.iterate()
            seen.append(each.evaluate())
        found.append((seen, each.trainer.metrics(), {name: networks(each, name) for name in ("one", "two")}))
    assert found[0][:2] == found[1][:2]
    assert all(equal(found[0][2][name], found[1][2][name]) for name in ("one", "two"))


def test_training_does_not_notice_evaluations(opponent):
    seen = []
    for evaluations in (0, 2):
        subject = harness.experiment("iql", "rps", three(opponent))
        for _ in range(5):
            subject.trainer.iterate()
            for _ in range(evaluations):
                subject.evaluate()
        seen.append(subject.trainer.metrics())
    assert seen[0] == seen[1]


def test_a_saved_side_meets_an_opponent_it_has_not_learned_with(sided, biased, tmp_path):
    text = f"evaluate=True checkpoint_path={sided} teams.one=0 teams.two.policy={biased} test_nepisode=8"
    assert main(words("ippo", tmp_path, text)) == 0
    subject = harness.experiment("ippo", "rps", f"{GAME} teams.one=0 teams.two.policy={biased}")
    theirs = networks(subject, "two")
    subject.load_model(load_checkpoint(sided / "checkpoint.pt")["trainer"]["learner"], 200)
    source = load_policy(sided).team
    assert equal(networks(subject, "one"), source.players[0].policy.state_dict())
    assert equal(networks(subject, "two"), theirs)


def test_what_does_not_fit_is_refused_in_a_sentence(sided, biased, tmp_path, capsys):
    def said(algorithm: str, env: str, text: str) -> str:
        found = refusal(
            capsys, *harness.words(algorithm, env, f"{text} local_results_path={tmp_path / 'none'}")
        )
        assert not (tmp_path / "none").exists(), "nothing is begun"
        return found

    nowhere = said("iql", "rps", "teams.one=0 teams.two.policy=nowhere")
    assert "teams.two.policy=nowhere: There is no run at nowhere" in nowhere
    other = f"env_args.n_agents=3 teams.one=[0,1] teams.two.policy={biased}"
    assert "does not fit this game" in said("iql", "rps", other)
    others = f"env_args.n_agents=3 teams.one=[0,1] teams.two.policy={sided}"
    assert "its game has other agents than this one" in said("iql", "rps", others)
    assert "has learned another game: rps" in said(
        "iql", "pursuit", f"teams.one=0 teams.two.policy={biased} env_args.common_reward=False"
    )
    assert main(words("ippo", tmp_path / "next", f"t_max=1 teams.one=0 teams.two.policy={sided}")) == 0
    then = harness.only_run(tmp_path / "next")
    assert "others played agents 1 there" in said("iql", "rps", f"teams.one=0 teams.two.policy={then}")
    assert "pays all agents one reward" in said("qmix", "matrix_games", "teams.one=0 teams.two=1")
    sizes = "env_args.n_agents=3 teams.one=[0,1] teams.two.copy_of=one teams.two.copy_interval=9"
    assert "a copy plays as many agents as it learned as, and here are 1 and 2" in said("iql", "rps", sizes)
    assert "standardise_rewards=False" in said(
        "maddpg", "rps", "env_args.n_agents=3 teams.one=[0,1] teams.two=2"
    )
    assert "cannot be exported" in refusal(capsys, "policy", str(sided), "--to=torch")


def test_a_team_that_was_paid_in_common_may_play_a_side(tmp_path):
    """QMIX learns from one reward for all, and plays where each agent has its own."""
    team = f"t_max=1 env_args.common_reward=True local_results_path={tmp_path}"
    assert main(harness.words("qmix", "pursuit", team)) == 0
    run = harness.only_run(tmp_path)
    text = f"env_args.common_reward=False teams.ours=[0,1,2,3] teams.theirs.policy={run}"
    subject = harness.experiment("iql", "pursuit", text)
    episodes = subject.trainer.test_runner.run(t_env=0, explore=False)
    policy, memory = load_policy(run).team, load_policy(run).begin(episodes.batch_size)
    for step in range(episodes.actions.shape[1]):
        seen = Observation(
            episodes.obs[:, step], episodes.state[:, step], episodes.available_actions[:, step]
        )
        actions, memory, _ = policy.act(seen, memory, 0, None)
        played = episodes.mask[:, step]
        assert torch.equal(actions[played, 4:], episodes.actions[played, step, 4:])


def test_watching_shows_the_sides_game(tmp_path):
    text = (
        f"env_args.common_reward=False local_results_path={tmp_path} t_max=1 "
        "teams.hunters=[0,1,2,3] teams.others.reward=own"
    )
    assert main(harness.words("iql", "pursuit", text)) == 0
    run = harness.only_run(tmp_path)
    video = tmp_path / "game.gif"
    assert main(["watch", str(run), "--format=gif", f"--out={video}"]) == 0
    assert video.stat().st_size > 0
