"""The example package, as somebody would use it who has read nothing but its README."""

import inspect

import pytest
import torch

from cohort.assembly import build_learner
from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from cohort.policy import load_policy
from examples.meeting.hysteretic import HystereticLearner
from examples.meeting.meeting import Meeting, MeetingSettings
from tests import harness
from tests.builders import SMALL, random_episodes
from tests.envs import test_contract as contract

HYSTERETIC, MEETING = "examples/meeting/hysteretic.yaml", "examples/meeting/meeting.yaml"


def make(batch_size: int = contract.B, seed: int = 1) -> Meeting:
    return Meeting(MeetingSettings(length=4, episode_limit=6), batch_size=batch_size, seed=seed)


@pytest.mark.parametrize(
    "ask",
    [
        each
        for name, each in vars(contract).items()
        if name.startswith("test_") and list(inspect.signature(each).parameters) == ["make"]
    ],
    ids=lambda ask: ask.__name__,
)
def test_the_environment_keeps_the_contract(ask):
    ask(make)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_environment_resumes_exactly(steps):
    contract.test_a_restored_environment_goes_on_bit_for_bit(make, steps)


def test_a_disappointment_weighs_less():
    learner = learner_of_the_example(disappointment=0.25)
    episodes = random_episodes([4, 2], SMALL)
    joint = torch.zeros(2, 4, 3)
    target = torch.ones(2, 4, 3) * torch.tensor([1.0, -1.0])[:, None, None]
    assert learner.temporal_difference(joint, target, episodes).value == pytest.approx((4 + 0.25 * 2) / 6)


def learner_of_the_example(**typed) -> HystereticLearner:
    plan = make_plan(Sources.read(HYSTERETIC, "matrix_games", typed))
    return build_learner(plan, SMALL, torch.device("cpu"))[1]


def test_a_team_learns_to_meet(tmp_path):
    """Who goes to the middle cell and waits there meets in at most 3 steps; random walkers take 7.5 on average."""
    words = [f"--config={HYSTERETIC}", f"--env-config={MEETING}", "with", "t_max=12000", "use_cuda=False",
             "test_interval=12000", "lr=0.002", "rnn_hidden_dim=32", f"local_results_path={tmp_path}"]  # fmt: skip
    assert main(words) == 0
    policy = load_policy(harness.only_run(tmp_path))
    episodes = policy.play(policy.make_env(games=256, seed=3), episodes=256)
    assert episodes.info["met"].mean() > 0.9
    assert episodes.length.float().mean() < 5
