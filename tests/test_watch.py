"""What a run has learned, loaded by a person's own code and watched."""

import pytest
import torch

from cohort.cli import main
from cohort.envs.sc2_sim.render import Renderer
from cohort.errors import UserError
from cohort.policy import load_policy
from cohort.recording.models import load_learner
from cohort.recording.replay import Replay
from tests import harness

SMALL = "t_max=40 test_interval=1000 env_args.step_mul=4"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    assert main(harness.words("qmix", "sc2_sim", f"{SMALL} local_results_path={results}")) == 0
    return harness.only_run(results)


def test_a_loaded_policy_acts_as_the_runs_own_networks_do(run):
    policy = load_policy(run)
    subject = harness.experiment("qmix", "sc2_sim", SMALL)
    subject.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["state"])
    assert policy.step == subject.trainer.t_env
    env = policy.make_env(games=3)
    observation, memory = env.reset(), policy.begin(games=3)
    theirs = subject.trainer.policy.initial_memory(3)
    for _ in range(5):
        actions, memory = policy.act(observation, memory)
        expected, theirs, _ = subject.trainer.policy.act(observation, theirs, 0, None)
        assert torch.equal(actions, expected)
        observation = env.step(actions).observation


def test_a_team_with_roles_is_loaded_with_those_it_formed_and_watched(tmp_path, capsys):
    """In which it acts as the run's own networks do, over several choices of a role."""
    text = "t_max=250 test_interval=1000 save_model=True"
    assert main(harness.words("rode", "sc2_sim", f"{text} local_results_path={tmp_path}")) == 0
    run = harness.only_run(tmp_path)
    subject = harness.experiment("rode", "sc2_sim", text)
    subject.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["state"])
    policy = load_policy(run)
    ours, theirs = policy.team.roles, subject.trainer.policy.roles
    assert subject.learner.formed
    assert not bool((ours.action_latents == 1).all())
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))
    env = policy.make_env(games=3)
    observation, memory = env.reset(), policy.begin(games=3)
    theirs = subject.trainer.policy.initial_memory(3)
    for _ in range(12):
        actions, memory = policy.act(observation, memory)
        expected, theirs, _ = subject.trainer.policy.act(observation, theirs, 0, None)
        assert torch.equal(actions, expected)
        assert torch.equal(memory.roles, theirs.roles)
        observation = env.step(actions).observation
    assert main(["watch", str(run), "--format", "gif"]) == 0
    # another run begins with the team, whatever number of roles it had itself, and has no need to form them again
    fresh = harness.experiment("rode", "sc2_sim", text)
    state, step, _ = load_learner(run, 0)
    fresh.load_model(state, step)
    assert fresh.learner.formed
    assert torch.equal(fresh.trainer.policy.roles.exists, ours.exists)


def test_watching_writes_a_video_and_says_how_it_went(run, capsys):
    assert main(["watch", str(run), "--format", "gif", "--agent", "1", "--seed", "4"]) == 0
    said = capsys.readouterr().out
    assert "return" in said
    assert "battle_won" in said
    (video,) = (run / "replays").iterdir()
    assert str(video) in said
    assert video.read_bytes()[:4] == b"GIF8"


def test_an_evaluation_keeps_its_first_game(run, tmp_path):
    words = f"evaluate=True save_replay=True replay_format=gif checkpoint_path={run} local_results_path={tmp_path}"
    assert main(harness.words("qmix", "sc2_sim", f"{words} env_args.step_mul=4")) == 0
    (video,) = (harness.only_run(tmp_path) / "replays").iterdir()
    assert video.suffix == ".gif"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--agent", "7"], "agents 0 to 2"),
        (["--format", "avi"], "avi"),
        (["--agnet", "1"], "Did you mean '--agent'"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_screen(run, capsys, words, reason):
    assert main(["watch", str(run), *words]) == 2
    assert reason in capsys.readouterr().err


def test_a_replay_is_of_an_evaluation(capsys):
    assert main(harness.words("qmix", "sc2_sim", "save_replay=True")) == 2
    assert "evaluate=True" in capsys.readouterr().err


def test_an_environment_that_cannot_be_drawn_says_so(tmp_path):
    env = harness.experiment("qmix", "matrix_games").trainer.test_runner.env
    with pytest.raises(UserError, match="cannot be drawn"):
        Replay(env, tmp_path / "video.mp4")


def test_the_simulator_draws_its_first_game():
    env = harness.experiment("qmix", "sc2_sim").trainer.test_runner.env
    assert isinstance(env.renderer(agent=2), Renderer)
