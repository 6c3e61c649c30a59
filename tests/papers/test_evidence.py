"""Differences over seeds, their errors and verdicts, by hand."""

import json
from collections.abc import Callable
from math import exp, inf, lgamma, pi, sqrt

import numpy as np
import pytest

from cohort.analysis.folders import FolderRun
from papers.evidence import (
    FALSE,
    TOO_FEW,
    TRUE,
    UNCLEAR,
    Estimate,
    common_length,
    difference,
    estimate,
    first_half,
    holm,
    late,
    measured,
    similarity,
    spread,
    unsteadiness,
    whole,
    within,
)
from papers.student import quantile, upper_tail

REWARD = "return_mean/ep_length_mean"


@pytest.mark.parametrize(
    ("mean", "error", "freedom", "verdict"),
    [
        (1.0, 0.36, 4, TRUE),  # 2.776 errors are 0.9994
        (1.0, 0.361, 4, UNCLEAR),
        (-1.0, 0.361, 4, UNCLEAR),
        (-1.0, 0.36, 4, FALSE),
        (1.0, 0.36, 3, UNCLEAR),
        (1.0, 0.37, 4.9, TRUE),  # 2.586
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


def test_tails_and_quantiles_are_students() -> None:
    """Against the density, integrated here, and against a table's quantiles."""
    for freedom, tabled in (
        (1, 12.706),
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (9, 2.262),
        (30, 2.042),
        (500, 1.965),
    ):
        assert quantile(0.025, freedom) == pytest.approx(tabled, abs=5e-4)
    for freedom in (1.0, 2.0, 3.7, 30.0):
        scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(freedom * pi)
        for t in (0.0, 0.3, 1.7, 4.3):
            places = np.linspace(0, t, 20_001)
            density = scale * (1 + places**2 / freedom) ** (-(freedom + 1) / 2)
            inside = float(np.trapezoid(density, places))
            assert upper_tail(t, freedom) == pytest.approx(0.5 - inside, abs=1e-7)
            assert upper_tail(-t, freedom) == pytest.approx(0.5 + inside, abs=1e-7)
        assert (upper_tail(inf, freedom), upper_tail(-inf, freedom)) == (0.0, 1.0)


def test_by_chance_one_difference_in_forty_is_called_true() -> None:
    draws = np.random.default_rng(0)
    for seeds in (3, 5):
        verdicts = [
            difference(dict(enumerate(ours)), dict(enumerate(theirs))).verdict
            for ours, theirs in draws.normal(size=(4000, 2, seeds))
        ]
        assert verdicts.count(TRUE) / 4000 == pytest.approx(1 / 40, abs=0.0075)  # three standard errors


def test_two_seeds_make_no_verdict() -> None:
    found = difference({1: 1.0, 2: 1.1}, {1: 0.0, 2: 0.0})
    assert found is not None
    assert (found.p, found.verdict, found.count) == (None, TOO_FEW, 2)
    assert found.interval == pytest.approx((1.05 - 12.706 * 0.05, 1.05 + 12.706 * 0.05), abs=1e-4)
    assert difference({1: 1.0, 2: 1.1, 3: 1.2}, {8: 0.0, 9: 0.1}).verdict == TOO_FEW, (
        "the smaller side counts"
    )


def test_holms_correction_by_hand() -> None:
    """Of four: 0.05 / 4, then / 3, then / 2; the third fails, and so does what follows, small as it is by itself."""
    assert holm([0.04, 0.012, None, 0.026, 0.016]) == [False, True, False, False, True]
    assert holm([0.04]) == [True]
    assert holm([]) == []
    assert holm([0.024, 0.03]) == [True, True]
    assert holm([0.026, 0.03]) == [False, False]


def test_with_holm_the_chance_of_any_false_verdict_is_one_in_twenty() -> None:
    draws, families, tests = np.random.default_rng(1), 1500, 12
    wrong = 0
    for family in draws.normal(size=(families, tests, 4)):
        wrong += any(holm([estimate(dict(enumerate(values))).p for values in family]))
    assert wrong / families == pytest.approx(0.05, abs=0.017)  # three standard errors


def alike(offset: float, noise: float, margin: float, seeds: int = 4) -> str:
    steps = [noise * (-1) ** place for place in range(seeds)]
    ours = {f"a{place}": step for place, step in enumerate(steps)}
    theirs = {f"b{place}": offset + step for place, step in enumerate(steps)}
    return similarity([ours, theirs], margin).verdict


def test_that_means_are_alike_has_to_be_shown() -> None:
    """Noise 0.1 on four seeds of each: a standard error of 0.082, 6 degrees of freedom, t = 2.447."""
    assert alike(0.0, 0.1, margin=0.21) == TRUE
    assert alike(0.0, 0.1, margin=0.19) == UNCLEAR, "0.19 is 2.3 standard errors"
    assert alike(0.0, 9.0, margin=0.21) == UNCLEAR, "where noise hides everything, nothing is alike"
    assert alike(0.6, 0.1, margin=0.21) == FALSE
    assert alike(0.4, 0.1, margin=0.21) == UNCLEAR
    assert alike(0.0, 0.1, margin=5.0, seeds=2) == TOO_FEW


def test_all_pairs_have_to_be_alike() -> None:
    near, far = {1: 0.0, 2: 0.1, 3: -0.1}, {1: 5.0, 2: 5.1, 3: 4.8}
    assert similarity([near, near, near], 1.0).verdict == TRUE
    found = similarity([near, near, far], 1.0)
    assert found.verdict == FALSE
    assert found.apart == pytest.approx(4.9667, abs=1e-4)
    assert found.text() == "4.967 apart, margin 1"
    assert found.interval[1] < -4.5


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
    assert first_half(REWARD)(run, 300) == pytest.approx(1 / 3), "0 for 100 episodes and 1 for 50"
    assert late("never")(run, 1000) is None
    assert unsteadiness(REWARD)(run, 900) == 0.0, "1 at each step"
    assert unsteadiness(REWARD)(run, 1000) == pytest.approx(np.std([1, 1, 1, 82], ddof=1))
    assert unsteadiness(REWARD)(run, 300) is None


def test_values_belong_where_the_middle_of_their_steps_does() -> None:
    tests = np.array([0.0, 10_020.0, 20_050.0, 30_110.0])  # each carried a little beyond its interval
    assert within(tests, 30_040.0).all(), "another run ended 70 steps before the last test"
    assert within(tests, 24_000.0).tolist() == [True, True, True, False]
    assert not len(within(np.array([]), 1.0))


def test_a_last_test_counts_whole_and_no_other_where_a_tenth_is_less_than_an_interval() -> None:
    class Tested:
        def series(self, metric: str, axis: str) -> tuple[np.ndarray, np.ndarray]:
            return np.array([0.0, 10_020.0, 20_050.0, 30_110.0]), np.array([0.0, 0.25, 0.5, 1.0])

    assert late("wins", "steps")(Tested(), 30_040.0) == 1.0, "a longer run, beside one that ended at 30,040"
    assert late("wins", "steps")(Tested(), 30_110.0) == 1.0, "the run that ended first"
    assert late("wins", "steps")(Tested(), 24_000.0) is None, "there is no test of the policy of then"
    assert late("wins", "steps")(Tested(), 20_050.0) == 0.5
    assert first_half("wins", "steps")(Tested(), 30_110.0) == pytest.approx(
        (10_020 * 0.25 + 5_035 * 0.5) / 15_055
    )


def test_runs_are_compared_over_what_all_of_them_have(write_arm: Callable[..., FolderRun]) -> None:
    run = write_arm("adama", "going_together", 1, [0.0] * 10, logged={"late_comer": [1.0] * 10})
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
