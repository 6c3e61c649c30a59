"""Rank correlations of few numbers with many ties, and what chance makes of them."""

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np

Correlation = Callable[[np.ndarray, np.ndarray], float]

EXACT = 9  # most numbers whose orders are all counted: 9! = 362,880
SAMPLED = 100_000  # orders drawn where there are more
FEWEST_MAPS = 4  # that an interval needs


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 of `values` [n]; equal values share the mean of their ranks."""
    values = np.asarray(values, dtype=float)
    below = (values[:, None] > values).sum(1)
    equal = (values[:, None] == values).sum(1)
    return below + (equal + 1) / 2


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation of x [n] and y [n]; NaN where one of them is constant."""
    return _pearson(ranks(x), ranks(y))


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b, which allows for ties, of x [n] and y [n]; NaN where one of them is constant."""
    upper = np.triu_indices(len(x), 1)
    over_x = np.sign(np.subtract.outer(x, x))[upper]
    over_y = np.sign(np.subtract.outer(y, y))[upper]
    size = np.sqrt((over_x**2).sum() * (over_y**2).sum())
    return float((over_x * over_y).sum() / size) if size else np.nan


def chance(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """The share of all orders of y [n] whose Spearman's correlation with x [n] is at least the given one.

    Counted exactly up to `EXACT` numbers, over `SAMPLED` random orders beyond. NaN where one of them is constant.
    """
    found = spearman(x, y)
    if np.isnan(found):
        return np.nan
    ordered = ranks(y)
    if len(ordered) <= EXACT:
        orders = np.array(list(permutations(ordered)))
        there = 0
    else:
        orders = np.random.default_rng(seed).permuted(np.tile(ordered, (SAMPLED, 1)), axis=1)
        there = 1  # the given order itself: a chance of 0 is never claimed
    of_x = ranks(x) - ranks(x).mean()
    products = orders @ of_x
    reached = (products >= ordered @ of_x - 1e-9).sum()
    return float((reached + there) / (len(orders) + there))


def interval(
    maps: Sequence[str],
    x: np.ndarray,
    y: np.ndarray,
    correlation: Correlation,
    *,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of the correlation of x [n] and y [n].

    Maps are drawn with replacement and bring all their values, for the values of one map are not independent. Draws
    in which one side is constant have no correlation and are left out.

    Args:
        maps: [n] the map of each value.
        x, y: the values.
        correlation: `spearman` or `kendall`.
        level: share of the draws inside the interval.
        replicates: how many draws.
        seed: the same seed gives the same interval.

    Returns:
        low, high; NaN where there are fewer than `FEWEST_MAPS` maps.
    """
    places = [np.flatnonzero(np.array(maps) == name) for name in sorted(set(maps))]
    if len(places) < FEWEST_MAPS:
        return np.nan, np.nan
    random = np.random.default_rng(seed)
    found = np.empty(replicates)
    for number in range(replicates):
        drawn = np.concatenate([places[pick] for pick in random.integers(len(places), size=len(places))])
        found[number] = correlation(x[drawn], y[drawn])
    known = found[np.isfinite(found)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / size) if size else np.nan
