"""Components that do not fit together are refused with those that would; whoever accepts several kinds fits each."""

import pytest

from cohort.configuration.layers import Sources
from cohort.configuration.plan import make_plan
from cohort.errors import UserError

CLASSES = """
from cohort.envs.matrix_games import MatrixGames
from cohort.learners.value.q_learner import QLearner
from cohort.trainers.off_policy import OffPolicyTrainer


class OfTwoKinds(QLearner):
    policy_kind = ("utilities", "action densities")


class OfOtherKinds(QLearner):
    policy_kind = ("action densities", "continuous actions")


class Steps(QLearner):
    provides = ("lambda_step", "meta_step")


class Ringing(MatrixGames):
    provides = ("bells",)


class Needy(OffPolicyTrainer):
    requires_of_learner = ("meta_step",)


class Ringer(OffPolicyTrainer):
    requires_of_env = ("bells",)


class Chainer(OffPolicyTrainer):
    requires_of_learner = ("no_such_thing",)
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    (tmp_path / "dummy_kinds.py").write_text(CLASSES)
    monkeypatch.syspath_prepend(tmp_path)

    def make(**typed):
        typed = {key: f"dummy_kinds:{name}" if name[0].isupper() else name for key, name in typed.items()}
        return make_plan(Sources.read("vdn", "matrix_games", typed))

    return make


def test_accepted_values_need_only_meet(plan):
    assert plan(learner="OfTwoKinds")["head"].name == "utilities"


def test_values_that_do_not_meet_are_refused_with_what_would_fit(plan):
    with pytest.raises(UserError) as refused:
        plan(learner="OfOtherKinds")
    message = str(refused.value)
    assert "head = utilities (in src/config/families/value.yaml)" in message
    assert "learner = dummy_kinds:OfOtherKinds (on the command line) do not fit together" in message
    assert "policy kind utilities here, policy kind action densities or continuous actions there" in message
    assert message.endswith("head can be: deterministic, squashed_gaussian.")


def test_what_is_required_must_be_provided(plan):
    assert plan(trainer="Needy", learner="Steps")["trainer"].name == "dummy_kinds:Needy"
    assert plan(trainer="Ringer", env="Ringing")["env"].name == "dummy_kinds:Ringing"


def test_a_learner_that_lacks_something_is_refused_with_those_that_have_it(plan):
    with pytest.raises(UserError) as refused:
        plan(trainer="Needy")
    message = str(refused.value)
    assert "learner = q_learner (in src/config/algs/vdn.yaml)" in message
    assert "trainer = dummy_kinds:Needy (on the command line) do not fit together" in message
    assert "dummy_kinds:Needy requires meta_step, which q_learner does not provide" in message
    assert message.endswith("learner can be: mnmpg_learner, mnmpg_rode_learner.")


def test_nothing_that_would_do_is_said_plainly(plan):
    with pytest.raises(UserError, match=r"requires no_such_thing, .* no registered learner will do\.$"):
        plan(trainer="Chainer")
    with pytest.raises(
        UserError, match=r"requires bells, which matrix_games .* no registered environment will do"
    ):
        plan(trainer="Ringer")
