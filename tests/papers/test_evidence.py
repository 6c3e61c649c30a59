"""Differences over seeds, their errors and verdicts, by hand."""

import json
from collections.abc import Callable
from math import gamma, pi, sqrt

import numpy as np
import pytest

from cohort.analysis.folders import FolderRun
from papers.evidence import (
    FALSE,
    STUDENT,
    TOO_FEW,
    TRUE,
    UNCLEAR,
    Estimate,
    common_length,
    difference,
    estimate,
    first_half,
    late,
    measured,
    spread,
    unsteadiness,
    whole,
)

REWARD = "return_mean/ep_length_mean"


@pytest.mark.parametrize(
    ("mean", "error", "freedom", "verdict"),
    [
        (1.0, 0.36, 4, TRUE),  # 2.776 errors are 0.9994
        (1.0, 0.361, 4, UNCLEAR),
        (-1.0, 0.361, 4, UNCLEAR),
        (-1.0, 0.36, 4, FALSE),
        (1.0, 0.36, 3, UNCLEAR),
        (1.0, 0.36, 4.9, TRUE),
        (1.0, 0.07, 1, TRUE),
        (1.0, 0.08, 1, UNCLEAR),
        (1.0, 0.489, 500, TRUE),
        (9.0, None, 1, TOO_FEW),
        (1.0, 0.0, 1, TRUE),
        (0.0, 0.0, 1, UNCLEAR),
    ],
)
def test_students_t_makes_a_verdict(mean: float, error: float | None, freedom: float, verdict: str) -> None:
    assert Estimate(mean, error, "1, 2", freedom).verdict == verdict


def test_the_quantiles_are_students() -> None:
    """Each cuts off 2.5 % of the density, integrated here."""
    for freedom, quantile in enumerate(STUDENT, start=1):
        scale = gamma((freedom + 1) / 2) / (sqrt(freedom * pi) * gamma(freedom / 2))
        places = np.linspace(0, quantile, 20_001)
        density = scale * (1 + places**2 / freedom) ** (-(freedom + 1) / 2)
        assert float(np.trapezoid(density, places)) == pytest.approx(0.475, abs=5e-5)


def test_by_chance_one_difference_in_forty_is_called_true() -> None:
    draws = np.random.default_rng(0)
    for seeds in (2, 3, 5):
        verdicts = [
            difference(dict(enumerate(ours)), dict(enumerate(theirs))).verdict
            for ours, theirs in draws.normal(size=(4000, 2, seeds))
        ]
        assert verdicts.count(TRUE) / 4000 == pytest.approx(1 / 40, abs=0.0075)  # three standard errors


def test_seeds_are_paired_where_both_have_two_of_them() -> None:
    found = difference({1: 10.0, 2: 21.0, 3: 30.0, 4: 99.0}, {3: 29.0, 2: 19.0, 1: 7.0})
    assert found is not None
    assert found.mean == pytest.approx(2.0)  # of 3, 2 and 1; seed 4 has no partner
    assert found.error == pytest.approx(1 / sqrt(3))
    assert found.seeds == "1, 2, 3, paired"
    assert found.freedom == 2
    assert found.verdict == UNCLEAR, "3.5 errors, and 4.3 were asked for"
    assert found.text() == "+2.000 ± 0.577"


def test_other_seeds_are_independent() -> None:
    found = difference({1: 1.0, 2: 3.0}, {2: 0.0, 5: 4.0, 6: 8.0})
    assert found is not None
    assert found.mean == pytest.approx(2.0 - 4.0)
    assert found.error == pytest.approx(sqrt(2 / 2 + 16 / 3))  # variances 2 and 16
    assert found.seeds == "1, 2 against 2, 5, 6"
    assert found.freedom == pytest.approx((1 + 16 / 3) ** 2 / (1**2 / 1 + (16 / 3) ** 2 / 2))  # Welch
    same = difference({1: 1.0, 2: 3.0}, {1: 1.0, 2: 3.0}, paired=False)
    assert same is not None
    assert (same.mean, same.error) == (0.0, pytest.approx(sqrt(2)))


def test_one_seed_is_a_number_without_a_verdict() -> None:
    for found in (difference({1: 5.0}, {1: 3.0}), difference({1: 5.0}, {1: 2.0, 2: 4.0})):
        assert found is not None
        assert (found.mean, found.error, found.verdict) == (2.0, None, TOO_FEW)
        assert found.text() == "+2.000"
    assert difference({}, {1: 1.0}) is None
    assert estimate({}) is None
    above = estimate({1: 0.75, 2: 0.25}, above=0.25)
    assert above is not None
    assert (above.mean, above.error) == (0.25, pytest.approx(0.25))
    assert spread({1: 1.0, 2: 3.0}) == f"2.000 ± {sqrt(2):.3f}"
    assert spread({1: 1.0}) == "1.000"


def test_what_is_late_and_what_is_first(write_arm: Callable[..., FolderRun]) -> None:
    rewards = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 90.0]  # over 1,000 episodes
    run = write_arm("adama", "going_together", 1, rewards, logged={"late_comer": [1.0] * 10})
    assert late(REWARD)(run, 1000) == 90.0
    assert first_half(REWARD)(run, 1000) == pytest.approx(2.0)
    assert whole(REWARD)(run, 1000) == pytest.approx(12.6)
    assert late(REWARD)(run, 900) == 8.0  # no longer than the runs that it is compared with
    assert first_half(REWARD)(run, 300) == 0.0
    assert late("never")(run, 1000) is None
    assert unsteadiness(REWARD)(run, 900) == 0.0, "1 at each step"
    assert unsteadiness(REWARD)(run, 1000) == pytest.approx(np.std([1, 1, 1, 82], ddof=1))
    assert unsteadiness(REWARD)(run, 300) is None
    short = write_arm("adama", "going_together", 2, [5.0, 6.0])
    assert common_length([run, short], REWARD) == 200
    assert common_length([run, short], "late_comer") == 1000, "who has no number shortens nothing"
    assert common_length([], REWARD) == 0
    assert common_length([run, short], REWARD, "steps") > 200, "a step is not an episode"
    assert measured([run, short], late("late_comer"), 1000) == {1: 1.0}


def test_methods_with_longer_episodes_are_compared_over_the_same_steps(write_run) -> None:
    """Four steps make an episode here; the second run's are twice as long."""
    points = [(step, {REWARD: step / 100}) for step in range(0, 801, 100)]
    run, slow = write_run("qmix", 1, points), write_run("vdn", 1, points)
    lines = [json.loads(line) for line in slow.folder.metrics.read_text().splitlines()]
    longer = [line | {"episode": line["episode"] // 2} for line in lines]
    slow.folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in longer))
    assert common_length([run, slow], REWARD) == 100
    assert common_length([run, slow], REWARD, "steps") == 800
    assert [late(REWARD, "steps")(each, 800) for each in (run, slow)] == [8, 8]
    assert late(REWARD)(run, 100) == 4
    assert late(REWARD)(slow, 100) == 8
