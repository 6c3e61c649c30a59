"""Aggregates and intervals against closed forms, enumeration and what an interval promises."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cohort.analysis import statistics
from cohort.analysis.statistics import AGGREGATES, bootstrap_interval, interquartile_mean, mean, median

FINITE = st.floats(-1e6, 1e6)
VALUES = st.integers(1, 12).flatmap(lambda n: arrays(float, (n, 3), elements=FINITE))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 2.0, 9.0], 4.0),  # fewer than 4: the mean
        ([0.0, 2.0, 4.0, 100.0], 3.0),
        ([100.0, 1.0, 2.0, 3.0, -50.0], 2.0),  # floor(5 / 4) = 1 from each end
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 80.0], 4.5),  # 2 from each end
    ],
)
def test_interquartile_mean_by_hand(values: list[float], expected: float) -> None:
    assert interquartile_mean(np.array(values)) == pytest.approx(expected)


@settings(max_examples=40)
@given(VALUES)
def test_interquartile_mean_drops_the_outer_quarters(values: np.ndarray) -> None:
    def obvious(column: np.ndarray) -> float:
        ordered, cut = sorted(column), len(column) // 4
        return sum(ordered[cut : len(ordered) - cut]) / (len(ordered) - 2 * cut)

    expected = [obvious(values[:, place]) for place in range(3)]
    np.testing.assert_allclose(interquartile_mean(values), expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("aggregate", AGGREGATES.values())
@settings(max_examples=40)
@given(values=VALUES, shift=FINITE)
def test_aggregates_move_with_the_values_and_ignore_their_order(aggregate, values, shift) -> None:
    centre = aggregate(values)
    assert (centre >= values.min(0) - 1e-6).all()
    assert (centre <= values.max(0) + 1e-6).all()
    np.testing.assert_allclose(aggregate(values + shift), centre + shift, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(aggregate(values[::-1]), centre, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(aggregate(values.T, 1), centre, rtol=1e-9, atol=1e-6)


def test_a_value_that_is_not_finite_is_refused_and_not_sorted_away() -> None:
    for aggregate in AGGREGATES.values():
        with pytest.raises(ValueError, match="finite"):
            aggregate(np.array([1.0, 2.0, 3.0, np.nan]))


@pytest.mark.parametrize("aggregate", AGGREGATES.values())
def test_the_interval_is_that_of_all_resamplings(aggregate) -> None:
    """With 4 runs there are 4 ** 4 equally likely resamplings: their quantiles are the exact interval."""
    values = np.array([0.1, 0.5, 0.6, 2.0])
    every = aggregate(np.array(list(itertools.product(values, repeat=4))), 1)
    low, high = bootstrap_interval([values], aggregate, level=0.8, replicates=40_000)
    ordered = np.sort(every)
    # the quantile of a discrete distribution is one of its values: allow for the neighbours' share of 1 %
    assert ordered[int(0.09 * 256)] <= low <= ordered[int(0.11 * 256) + 1]
    assert ordered[int(0.89 * 256)] <= high <= ordered[int(0.91 * 256) + 1]


def test_strata_are_resampled_apart() -> None:
    """Each map is constant: no resampling within maps changes anything; across maps it would."""
    low, high = bootstrap_interval([np.zeros((3, 2)), np.ones((3, 2))], mean)
    np.testing.assert_array_equal(low, 0.5)
    np.testing.assert_array_equal(high, 0.5)
    low, high = bootstrap_interval([np.concatenate([np.zeros((3, 2)), np.ones((3, 2))])], mean)
    assert (low < 0.5).all()
    assert (high > 0.5).all()


def test_whole_runs_are_resampled_and_memory_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(5, 7, 2))
    whole = bootstrap_interval([values], median, replicates=500)
    monkeypatch.setattr(statistics, "CELLS", 1)
    apart = bootstrap_interval([values], median, replicates=500)
    np.testing.assert_array_equal(whole, apart)
    doubled = bootstrap_interval([np.stack([values[:, 0, 0]] * 3, axis=1)], median, replicates=500)
    assert len(np.unique(doubled[0])) == 1  # equal points of equal runs have equal intervals


def test_the_seed_decides() -> None:
    values = np.random.default_rng(1).normal(size=(6, 3))
    one, other = (bootstrap_interval([values], mean, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(one, bootstrap_interval([values], mean, seed=1))
    assert not np.array_equal(one, other)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_runs() -> None:
    values = np.random.default_rng(3).normal(2.0, 3.0, size=400)
    low, high = bootstrap_interval([values], mean, level=0.95, replicates=4000)
    error = values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


@pytest.mark.parametrize(("runs", "least", "most"), [(3, 0.65, 0.80), (10, 0.87, 0.94), (30, 0.91, 0.97)])
def test_coverage_on_normal_data(runs: int, least: float, most: float) -> None:
    """A nominal 95 % interval of few runs is too narrow: docs/queries.md says by how much."""
    values = np.random.default_rng(runs).normal(size=(runs, 500))
    low, high = bootstrap_interval([values], mean, replicates=800)
    assert least < ((low <= 0) & (high >= 0)).mean() < most
