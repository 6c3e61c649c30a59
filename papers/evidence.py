"""The statistics of claims: one number per seed, differences of means with their standard errors, and verdicts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cohort.analysis.runs import Run
from papers.student import quantile, upper_tail
from papers.wording import listed

TRUE, FALSE, UNCLEAR = "true", "not true", "not clear"
TOO_FEW, NOT_RUN = "too few seeds", "not run"
LEAST_SEEDS = 3  # of each side, for a verdict
LEVEL = 0.05  # of a two-sided test, and of all tests of a paper together
RULE = (
    "Verdict: a two-sided test of each row by Student's t, with at least "
    f"{LEAST_SEEDS} seeds on each side; true or not true where it holds at {LEVEL:.0%} after Holm's correction for all "
    "rows of the paper that are tested, else not clear: the chance that anything here is called true or not true by "
    f"chance is {LEVEL:.0%} at most. p is of the row by itself. Seeds that both sides have are paired if there are at "
    "least two; otherwise the sides count as independent (Welch). That things are alike is tested as such: true "
    "where every pair of means is shown to lie within the stated margin (two one-sided tests), not true where a pair "
    "is shown to lie further apart (Bonferroni over pairs). The interval is of 95 %, without correction."
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
        seeds: which, in words.
        freedom: degrees of freedom of the error.
        count: how many seeds, of the side with fewer.
    """

    mean: float
    error: float | None
    seeds: str
    freedom: float = 1.0
    count: int = LEAST_SEEDS

    @property
    def holds(self) -> bool:
        """What the test would call it."""
        return self.mean > 0

    @property
    def p(self) -> float | None:
        """Of the two-sided test against 0; None where there are too few seeds for one."""
        if self.error is None or self.count < LEAST_SEEDS:
            return None
        return 2 * upper_tail(_errors(abs(self.mean), self.error), self.freedom)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean."""
        if self.error is None:
            return None
        reach = quantile(LEVEL / 2, self.freedom) * self.error
        return self.mean - reach, self.mean + reach

    @property
    def verdict(self) -> str:
        """Whether it is above 0, as the only test there is."""
        return verdict(self.p, self.holds)

    def text(self) -> str:
        return f"{self.mean:+.3f}" + ("" if self.error is None else f" ± {self.error:.3f}")


@dataclass(frozen=True)
class Similarity:
    """How alike the means of several groups are.

    Attributes:
        apart: the greatest mean minus the least.
        margin: what still counts as alike.
        pairs: every two groups' difference.
        seeds: those of all groups, in words.
        count: how many seeds, of the group with the fewest.
    """

    apart: float
    margin: float
    pairs: Sequence[Estimate]
    seeds: str
    count: int

    @property
    def _tails(self) -> tuple[float, float]:
        """One-sided: that all pairs lie within the margin only by chance; that one lies beyond it only by chance."""
        within, beyond = [], []
        for pair in self.pairs:
            t = _errors(self.margin - abs(pair.mean), pair.error or 0.0)
            within.append(upper_tail(t, pair.freedom))
            beyond.append(upper_tail(-t, pair.freedom))
        return max(within), min(1.0, len(beyond) * min(beyond))

    @property
    def holds(self) -> bool:
        """What the test would call it."""
        within, beyond = self._tails
        return within <= beyond

    @property
    def p(self) -> float | None:
        """Of the two-sided test whether all lie within the margin; None where there are too few seeds for one."""
        return None if self.count < LEAST_SEEDS else min(1.0, 2 * min(self._tails))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the pair whose means lie the furthest apart."""
        widest = max(self.pairs, key=lambda pair: abs(pair.mean))
        return widest.interval

    @property
    def verdict(self) -> str:
        """Whether all means are alike, as the only test there is."""
        return verdict(self.p, self.holds)

    def text(self) -> str:
        return f"{self.apart:.3f} apart, margin {self.margin:g}"


def verdict(p: float | None, holds: bool, level: float = LEVEL) -> str:
    """What a test says at a level; p is None where there were too few seeds for one."""
    if p is None:
        return TOO_FEW
    if p >= level:
        return UNCLEAR
    return TRUE if holds else FALSE


def holm(ps: Sequence[float | None]) -> list[bool]:
    """Which tests hold at `LEVEL` by Holm's step-down correction; None is no test, and counts as none.

    From the least p on, each is held against LEVEL over the number of tests that are left, until one fails.
    """
    order = sorted((index for index, p in enumerate(ps) if p is not None), key=lambda index: ps[index])
    held = [False] * len(ps)
    for place, index in enumerate(order):
        if ps[index] >= LEVEL / (len(order) - place):
            break
        held[index] = True
    return held


def estimate(values: Values, above: float = 0.0) -> Estimate | None:
    """How far numbers of one group lie above a level; None without any."""
    if not values:
        return None
    numbers = np.array(list(values.values())) - above
    return Estimate(float(numbers.mean()), _error(numbers), listed(values), len(numbers) - 1, len(numbers))


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
        seeds = f"{listed(common)}, paired"
        return Estimate(float(numbers.mean()), _error(numbers), seeds, len(common) - 1, len(common))
    sides = [np.array(list(values.values())) for values in (ours, theirs)]
    errors, means = [_error(side) for side in sides], [side.mean() for side in sides]
    both = None if None in errors else float(np.hypot(*errors))
    seeds = listed(ours) if set(ours) == set(theirs) else f"{listed(ours)} against {listed(theirs)}"
    freedom = _welch(errors, [len(side) for side in sides]) if both else 1.0
    return Estimate(float(means[0] - means[1]), both, seeds, freedom, min(map(len, sides)))


def similarity(groups: Sequence[Values], margin: float) -> Similarity | None:
    """How far the means of groups lie apart; None with fewer than two groups, or fewer than two seeds in one.

    Each pair is as `difference` has it: paired by seed where it can be.
    """
    if len(groups) < 2 or any(len(group) < 2 for group in groups):
        return None
    pairs = [difference(*pair) for pair in combinations(groups, 2)]
    means = [np.mean(list(group.values())) for group in groups]
    seeds = listed({str(seed) for group in groups for seed in group})
    return Similarity(float(max(means) - min(means)), margin, pairs, seeds, min(pair.count for pair in pairs))


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
        values = values[within(places, until)]
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
        changes = np.diff(values[within(places, until) & ~within(places, until / 2)])
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


def within(places: np.ndarray, end: float) -> np.ndarray:
    """Which of the values logged at `places` [K] belong to the first `end` episodes or steps of a run: [K] bool.

    A value stands for what was played since the one before it, and belongs where the middle of that does. A run whose
    rounds carried its last test to 100,146 steps does not lose it beside one that ended at 100,042.
    """
    return (places + _starts(places)) / 2 <= end


def _mean(run: Run, metric: str, start: float, end: float, axis: Axis = "episodes") -> float | None:
    """The mean over (start, end], in which each value counts as much as it stands for."""
    places, values = run.series(metric, axis)
    lengths = np.minimum(places, end) - np.maximum(_starts(places), start)
    weights = np.where(within(places, end), lengths.clip(min=0), 0.0)
    return float(np.average(values, weights=weights)) if weights.any() else None


def _starts(places: np.ndarray) -> np.ndarray:
    """Where that begins which each of the values logged at `places` stands for: [K]."""
    return np.append(0.0, places)[: len(places)]


def _welch(errors: Sequence[float], seeds: Sequence[int]) -> float:
    """Welch's degrees of freedom of a difference between two groups whose means have these standard errors."""
    parts = [error**4 / (n - 1) for error, n in zip(errors, seeds, strict=True)]
    return sum(error**2 for error in errors) ** 2 / sum(parts)


def _errors(distance: float, error: float) -> float:
    """A distance in standard errors; where seeds do not differ at all, any distance is infinitely many."""
    return distance / error if error else math.copysign(math.inf, distance) if distance else 0.0


def _error(numbers: np.ndarray) -> float | None:
    return float(numbers.std(ddof=1) / len(numbers) ** 0.5) if len(numbers) > 1 else None
