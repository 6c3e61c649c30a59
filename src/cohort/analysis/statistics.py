"""Aggregates over seeds and their bootstrap intervals (Agarwal et al. 2021, arXiv:2108.13264).

`values` are [n, ...]: n runs first, anything after. Runs are independent, the points of one run are not: whole
runs are resampled, so that an interval at one point knows nothing of the others but is right for itself.
"""

from collections.abc import Callable, Sequence

import numpy as np

Aggregate = Callable[[np.ndarray, int], np.ndarray]  # of (values, axis of the runs)

CELLS = 4_000_000  # numbers that a resampling holds at once


def mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """The arithmetic mean."""
    return _checked(values).mean(axis)


def median(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """The median; the mean of the middle two when n is even."""
    return np.median(_checked(values), axis)


def interquartile_mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """The mean without the floor(n / 4) lowest and the floor(n / 4) highest values.

    That is `scipy.stats.trim_mean(values, 0.25)`, by which rliable and the figures in the literature define it:
    whole runs are dropped, so that with fewer than 4 it is the mean.
    """
    ordered = np.sort(_checked(values), axis)
    n = ordered.shape[axis]
    return ordered.take(range(n // 4, n - n // 4), axis).mean(axis)


AGGREGATES: dict[str, Aggregate] = {"mean": mean, "median": median, "iqm": interquartile_mean}


def bootstrap_interval(
    strata: Sequence[np.ndarray],
    aggregate: Aggregate,
    *,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval of `aggregate` over all runs, resampled with replacement within each stratum.

    Args:
        strata: one array [n_k, ...] for each map, with the same shape after the runs.
        aggregate: one of `AGGREGATES`; it sees the runs of all strata in a row.
        level: the share of replicates inside the interval.
        replicates: how many times to resample.
        seed: the same seed gives the same interval.

    Returns:
        low, high: [...] each.
    """
    random = np.random.default_rng(seed)
    shape = strata[0].shape[1:]
    flat = [_checked(stratum).reshape(len(stratum), -1) for stratum in strata]  # [n_k, G]
    picks = [random.integers(len(stratum), size=(replicates, len(stratum))) for stratum in flat]
    runs, points = sum(map(len, flat)), flat[0].shape[1]
    width = max(1, CELLS // (replicates * runs))
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = np.empty((2, points))
    for start in range(0, points, width):
        part = slice(start, start + width)
        drawn = [stratum[:, part][pick] for stratum, pick in zip(flat, picks, strict=True)]  # [R, n_k, g]
        bounds[:, part] = np.quantile(aggregate(np.concatenate(drawn, axis=1), 1), tails, axis=0)
    return bounds[0].reshape(shape), bounds[1].reshape(shape)


def _checked(values: np.ndarray) -> np.ndarray:
    """Refuse NaN: sorting puts it last, where the interquartile mean would drop it unseen."""
    if not np.isfinite(values).all():
        raise ValueError("statistics over runs need finite values")
    return values
