"""A rate that follows the clock: a straight line, the same for a resumed run, and what Algorithm 1's exercise uses."""

import copy

import pytest
import torch

from cohort.components.clock import Clock
from cohort.configuration.plan import Sources, make_plan
from cohort.errors import UserError
from tests.builders import make_learner, random_episodes

ANNEALED = {"lr": 0.001, "lr_final": 0.0002, "lr_anneal_time": 400}
LINE = {0: 0.001, 100: 0.0008, 300: 0.0004, 400: 0.0002, 5000: 0.0002}


def rate_of(learner):
    (group,) = learner.optimisers["td"].param_groups
    return group["lr"]


def test_the_rate_follows_the_steps_in_a_straight_line_and_is_logged():
    learner = make_learner("qmix", **ANNEALED)
    for steps, expected in LINE.items():
        metrics = learner.update(random_episodes([3, 5]), Clock(steps=steps))
        assert float(metrics["lr"]) == pytest.approx(expected, rel=1e-12)
        assert rate_of(learner) == float(metrics["lr"])


def test_a_step_is_as_long_as_the_rate_of_its_moment():
    """RMSprop's first step is rate / sqrt(1 - alpha) for every parameter whose gradient is far from eps."""
    moved = {}
    for steps in (0, 300):
        learner = make_learner("qmix", optim_eps=1e-30, **ANNEALED)
        before = learner.networks["mixer"].value[2].bias.detach().clone()
        learner.update(random_episodes([3, 5]), Clock(steps=steps))
        moved[steps] = float((learner.networks["mixer"].value[2].bias.detach() - before).abs())
    assert moved[0] == pytest.approx(0.001 / 0.1, rel=1e-3)
    assert moved[300] == pytest.approx(0.0004 / 0.1, rel=1e-3)


def test_without_an_end_the_rate_stays():
    learner = make_learner("qmix", lr=0.003)
    for steps in (0, 1, 10**7):
        assert float(learner.update(random_episodes([3, 5]), Clock(steps=steps))["lr"]) == 0.003


def test_exercise_moves_go_by_the_same_rate():
    learner = make_learner("mnmpg", **ANNEALED)
    before = learner.meta.store_z(random_episodes([3, 8, 5, 4]))
    assert float(learner.exercise(before, Clock(steps=300))["lr"]) == pytest.approx(0.0004)
    assert rate_of(learner) == pytest.approx(0.0004)
    assert learner.updates == 1


def test_a_restored_learner_has_the_rate_of_the_clock_it_is_given():
    one, other = (make_learner("qmix", seed=seed, **ANNEALED) for seed in (0, 5))
    one.update(random_episodes([3, 5]), Clock(steps=100))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for each in (one, other):
        each.update(random_episodes([4, 2], seed=1), Clock(steps=300))
    assert rate_of(other) == pytest.approx(0.0004)
    for ours, theirs in zip(one.networks.parameters(), other.networks.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("typed", [{"lr_final": 0.0001}, {"lr_anneal_time": 1000}])
def test_half_of_a_schedule_is_refused(typed):
    with pytest.raises(UserError, match=r"lr_final \(.*\) and lr_anneal_time \(.*\) go together: give both"):
        make_plan(Sources.read("qmix", "matrix_games", typed))
