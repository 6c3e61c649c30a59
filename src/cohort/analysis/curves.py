"""Makes curves of runs: puts seeds that were logged at different steps on one grid, with an interval around them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cohort.analysis.runs import Run
from cohort.analysis.statistics import AGGREGATES, bootstrap_interval
from cohort.errors import UserError

MAX_POINTS = 200  # of a curve with several seeds: what a panel can show
BANDS = ("interval", "range", "std", "none")


@dataclass(frozen=True)
class Settings:
    """How runs become curves.

    Attributes:
        x: one of `cohort.analysis.runs.AXES`.
        aggregate: a name in `AGGREGATES`.
        band: one of `BANDS`.
        level: the interval's, 0.95 for 95 %.
        smooth: logged values that a moving average covers; 1 leaves them as they are.
        replicates: of the bootstrap.
    """

    x: str = "steps"
    aggregate: str = "iqm"
    band: str = "interval"
    level: float = 0.95
    smooth: int = 1
    replicates: int = 2000


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes:
        runs: what it is made of.
        x: [G] positions.
        centre: [G] the aggregate over runs.
        low, high: [G] the band around it; None where there is none.
        longest: where the longest of its runs ends: the curve ends with the shortest.
    """

    runs: tuple[Run, ...]
    x: np.ndarray
    centre: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    longest: float


def make_curve(strata: Mapping[str, Sequence[Run]], metric: str, settings: Settings) -> Curve | None:
    """The curve of one metric over all runs; None when none of them has it.

    Args:
        strata: the runs of each map; with one map, seeds are resampled among themselves.
        metric: its name.
        settings: how.

    Raises:
        UserError: the runs have no range of x in common.
    """
    found = {name: [(run, *logged(run, metric, settings)) for run in runs] for name, runs in strata.items()}
    found = {name: [one for one in series if len(one[1])] for name, series in found.items()}
    every = [one for series in found.values() for one in series]
    if not every:
        return None
    runs = tuple(run for run, _, _ in every)
    grid = common_grid([x for _, x, _ in every])
    if not len(grid):
        raise UserError(
            f"{metric}: these runs have no {settings.x} in common: "
            + "; ".join(f"{run.name} from {x[0]:,.4g} to {x[-1]:,.4g}" for run, x, _ in every[:8])
        )
    values = [np.array([np.interp(grid, x, y) for _, x, y in series]) for series in found.values() if series]
    aggregate = AGGREGATES[settings.aggregate]
    low, high = _band(values, aggregate, settings)
    longest = max(x[-1] for _, x, _ in every)
    return Curve(runs, grid, aggregate(np.concatenate(values), 0), low, high, float(longest))


def logged(run: Run, metric: str, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """What a run has of a metric: positions [K] and values [K], the last at each position."""
    return _smoothed(*run.series(metric, settings.x), settings.smooth)


def over_places(values: Mapping[float, Mapping[Run, float]], settings: Settings) -> Curve | None:
    """The curve through one number of each run at each place, for example one result per setting; None without any.

    Places may have different runs; the interval at each place is computed from its runs alone.
    """
    places = sorted(place for place, numbers in values.items() if numbers)
    if not places:
        return None
    runs = tuple(dict.fromkeys(run for place in places for run in values[place]))
    columns = [np.array(list(values[place].values()))[:, None] for place in places]  # [n, 1] each
    aggregate = AGGREGATES[settings.aggregate]
    centre = np.concatenate([aggregate(column, 0) for column in columns])
    low, high = None, None
    if max(map(len, columns)) > 1:
        bands = [_band([column], aggregate, settings) for column in columns]
        low, high = (
            np.concatenate([np.full(1, np.nan) if end is None else end for end in ends])
            for ends in zip(*bands, strict=True)
        )
    return Curve(runs, np.array(places, dtype=float), centre, low, high, float(places[-1]))


def common_grid(positions: Sequence[np.ndarray]) -> np.ndarray:
    """The positions [G] that all runs cover: from the latest start to the earliest end.

    Values between two logged ones are interpolated linearly. The grid contains every run's own positions, so that no
    logged value is lost, unless there are more than `MAX_POINTS`.
    """
    start, end = max(x[0] for x in positions), min(x[-1] for x in positions)
    union = np.unique(np.concatenate(positions))
    union = union[(union >= start) & (union <= end)]
    if len(positions) == 1 or len(union) <= MAX_POINTS:
        return union
    return np.linspace(start, end, MAX_POINTS)


def _band(
    values: Sequence[np.ndarray], aggregate: Callable, settings: Settings
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The band around the curve; none around a single run, whose spread is unknown."""
    if settings.band == "none" or max(map(len, values)) < 2:
        return None, None
    everything = np.concatenate(values)
    if settings.band == "range":
        return everything.min(axis=0), everything.max(axis=0)
    if settings.band == "std":
        centre, deviation = aggregate(everything, 0), everything.std(axis=0, ddof=1)
        return centre - deviation, centre + deviation
    return bootstrap_interval(values, aggregate, level=settings.level, replicates=settings.replicates)


def _smoothed(x: np.ndarray, y: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The last logged value at each position, averaged with the `width - 1` values before it."""
    if not len(x):
        return x, y
    last = np.append(np.diff(x) > 0, True)
    x, y = x[last], y[last]
    if width == 1:
        return x, y
    sums = np.concatenate([[0.0], np.cumsum(y)])
    end = np.arange(1, len(y) + 1)
    start = np.maximum(0, end - width)
    return x, (sums[end] - sums[start]) / (end - start)
