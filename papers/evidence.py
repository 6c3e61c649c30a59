"""The statistics of claims: one number per seed, differences of means with their standard errors, and verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cohort.analysis.runs import Run
from papers.wording import listed

TRUE, FALSE, UNCLEAR, TOO_FEW = "true", "not true", "not clear", "not enough runs"
# Student's t at 97.5 %, for 1, 2, ... 30 degrees of freedom: what a two-sided test at 5 % asks for
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
RULE = (
    "Verdict: true or not true where the 95 % interval of the difference, by Student's t, lies above or below 0, else "
    "not clear. Seeds that both sides have are paired if there are at least two; otherwise the sides count as "
    f"independent (Welch). The interval is the difference ± {STUDENT[0]:.1f} standard errors with 2 seeds, "
    f"{STUDENT[1]:.1f} with 3, {STUDENT[3]:.1f} with 5: by chance alone 1 of 40 differences is called true, however "
    "many seeds there are."
)
LATE_SHARE = 0.1
Values = Mapping[object, float]  # seed -> a number
Axis = Literal["episodes", "steps"]  # along which the runs of a claim are compared
Reading = Callable[[Run, float], float | None]  # of a run and how many of its episodes, or steps, to look at


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: it.
        error: its standard error; None where there are too few seeds to know.
        seeds: how many, in words.
        freedom: degrees of freedom of the error.
    """

    mean: float
    error: float | None
    seeds: str
    freedom: float = 1.0

    @property
    def verdict(self) -> str:
        """Whether it is above 0, with 95 % confidence."""
        if self.error is None:
            return TOO_FEW
        if abs(self.mean) <= student(self.freedom) * self.error:
            return UNCLEAR
        return TRUE if self.mean > 0 else FALSE

    def text(self) -> str:
        return f"{self.mean:+.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")


@dataclass(frozen=True)
class Similarity:
    """How alike the means of several groups are.

    Attributes:
        apart: the greatest mean minus the least.
        deviation: the standard deviation within groups (root of the mean variance).
        seeds: those of all groups, in words.
    """

    apart: float
    deviation: float
    seeds: str

    @property
    def verdict(self) -> str:
        """Whether the means lie no further apart than seeds do."""
        return TRUE if self.apart <= self.deviation else FALSE

    def text(self) -> str:
        return f"{self.apart:.3f} against {self.deviation:.3f}"


def student(freedom: float) -> float:
    """Standard errors that a difference must have to count; between two degrees of freedom as for the lower one."""
    return STUDENT[min(max(int(freedom), 1), len(STUDENT)) - 1]


def estimate(values: Values, above: float = 0.0) -> Estimate | None:
    """How far numbers of one group lie above a level; None without any."""
    if not values:
        return None
    numbers = np.array(list(values.values())) - above
    return Estimate(float(numbers.mean()), _error(numbers), listed(values), len(numbers) - 1)


def difference(ours: Values, theirs: Values, *, paired: bool = True) -> Estimate | None:
    """`ours` minus `theirs`; None where one has no runs.

    Paired by seed where both have two seeds or more in common and `paired` allows it; else the difference of means with
    the error of independent groups.
    """
    if not ours or not theirs:
        return None
    common = [seed for seed in ours if seed in theirs] if paired else []
    if len(common) > 1:
        numbers = np.array([ours[seed] - theirs[seed] for seed in common])
        return Estimate(float(numbers.mean()), _error(numbers), f"{listed(common)}, paired", len(common) - 1)
    sides = [np.array(list(values.values())) for values in (ours, theirs)]
    errors, means = [_error(side) for side in sides], [side.mean() for side in sides]
    both = None if None in errors else float(np.hypot(*errors))
    seeds = listed(ours) if set(ours) == set(theirs) else f"{listed(ours)} against {listed(theirs)}"
    freedom = _welch(errors, [len(side) for side in sides]) if both else 1.0
    return Estimate(float(means[0] - means[1]), both, seeds, freedom)


def similarity(groups: Sequence[Values]) -> Similarity | None:
    """How far the means of groups lie apart; None with fewer than two groups, or fewer than two seeds in one."""
    if len(groups) < 2 or any(len(group) < 2 for group in groups):
        return None
    numbers = [np.array(list(group.values())) for group in groups]
    means = [group.mean() for group in numbers]
    deviation = np.mean([group.var(ddof=1) for group in numbers]) ** 0.5
    seeds = listed({str(seed) for group in groups for seed in group})
    return Similarity(float(max(means) - min(means)), float(deviation), seeds)


def best_of(values: Mapping[str, Values]) -> str | None:
    """The name with the greatest mean; None unless all have runs."""
    if not values or not all(values.values()):
        return None
    return max(values, key=lambda name: np.mean(list(values[name].values())))


def spread(values: Values) -> str:
    """Mean and, of two or more, standard deviation (n - 1)."""
    numbers = np.array(list(values.values()))
    text = f"{numbers.mean():.3f}"
    return text if len(numbers) < 2 else f"{text} ± {numbers.std(ddof=1):.3f}"


def late(metric: str, axis: Axis = "episodes") -> Reading:
    """The mean over the last tenth of what is looked at, along the axis: episodes, or environment steps."""
    return lambda run, until: _mean(run, metric, (1 - LATE_SHARE) * until, until, axis)


def last_episodes(metric: str, episodes: int) -> Reading:
    """The mean over the last so many of the episodes that are looked at."""
    return lambda run, until: _mean(run, metric, until - episodes, until)


def scaled(reading: Reading, factor: float) -> Reading:
    """Another reading's number times a factor."""

    def read(run: Run, until: float) -> float | None:
        value = reading(run, until)
        return None if value is None else factor * value

    return read


def fall(metric: str) -> Reading:
    """The mean over the first tenth of the episodes that have a metric, less that over the last."""

    def read(run: Run, until: float) -> float | None:
        places, values = run.series(metric, "episodes")
        values = values[places <= until]
        tenth = int(len(values) * LATE_SHARE)
        return float(values[:tenth].mean() - values[-tenth:].mean()) if tenth else None

    return read


def first_half(metric: str, axis: Axis = "episodes") -> Reading:
    """The area under the curve over the first half of what is looked at, divided by its length."""
    return lambda run, until: _mean(run, metric, 0, until / 2, axis)


def whole(metric: str) -> Reading:
    """The mean over all episodes."""
    return lambda run, until: _mean(run, metric, 0, until)


def unsteadiness(metric: str, axis: Axis = "episodes") -> Reading:
    """The standard deviation of the changes between logged values, over the second half of what is looked at."""

    def read(run: Run, until: float) -> float | None:
        places, values = run.series(metric, axis)
        changes = np.diff(values[(places > until / 2) & (places <= until)])
        return float(changes.std(ddof=1)) if len(changes) > 1 else None

    return read


def measured(runs: Sequence[Run], reading: Reading, until: float) -> dict[object, float]:
    """Seed to number, for those runs that have one."""
    values = {run.seed: reading(run, until) for run in runs}
    return {seed: value for seed, value in values.items() if value is not None and np.isfinite(value)}


def common_length(runs: Sequence[Run], metric: str, axis: Axis = "episodes") -> float:
    """The episodes or steps over which all runs that have a metric have it; 0 where none has."""
    ends = [places[-1] for run in runs if len(places := run.series(metric, axis)[0])]
    return float(min(ends, default=0.0))


def _mean(run: Run, metric: str, start: float, end: float, axis: Axis = "episodes") -> float | None:
    """The mean of what was logged in (start, end]; each value stands for the episodes or steps before it."""
    places, values = run.series(metric, axis)
    inside = values[(places > start) & (places <= end)]
    return float(inside.mean()) if len(inside) else None


def _welch(errors: Sequence[float], seeds: Sequence[int]) -> float:
    """Welch's degrees of freedom of a difference between two groups whose means have these standard errors."""
    parts = [error**4 / (n - 1) for error, n in zip(errors, seeds, strict=True)]
    return sum(error**2 for error in errors) ** 2 / sum(parts)


def _error(numbers: np.ndarray) -> float | None:
    return float(numbers.std(ddof=1) / len(numbers) ** 0.5) if len(numbers) > 1 else None
