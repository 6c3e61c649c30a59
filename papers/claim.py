"""`Claim`: what a paper says, as rows of data, and how recorded runs decide on a row."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cohort.analysis.runs import Run
from cohort.recording.curve import short_steps
from papers.evidence import (
    NOT_RUN,
    Axis,
    Estimate,
    Reading,
    Similarity,
    Values,
    best_of,
    common_length,
    difference,
    estimate,
    holm,
    measured,
    similarity,
    spread,
    verdict,
)
from papers.run_selector import RunSelector
from papers.wording import listed, updates_of

WHOLE_LENGTH = 0.99  # the share of the planned episodes from which on runs count as complete
Side = Callable[[RunSelector], Sequence[Run]]  # the runs of one of the things that are compared


@dataclass(frozen=True)
class Finding:
    """What came out for one row of a claim.

    Attributes:
        where: the scenario, and what else is needed to tell rows apart.
        measured: the numbers, with their spread over seeds.
        difference: what the verdict rests on; empty where nothing is judged.
        seeds: those that it rests on.
        length: how far the runs were looked at, with what they should have had.
        verdict: TRUE, FALSE, UNCLEAR, TOO_FEW, NOT_RUN, or empty for a number that is there for comparison.
        interval: the difference's 95 % interval; empty where there is none.
        count: how many seeds the side with fewer has; empty where nothing was run.
        p: of the row's test by itself; None where there is no test, or nothing is judged.
        holds: what that test would call it.
    """

    where: str
    measured: str
    difference: str
    seeds: str
    length: str
    verdict: str
    interval: str = ""
    count: str = ""
    p: float | None = None
    holds: bool = False


@dataclass(frozen=True)
class Measure:
    """One number of a run.

    Attributes:
        reading: the number; None where a run has none.
        headline: the metric whose divergence is reported beside the numbers.
        over: the metric over whose common length runs are compared; empty where a run counts as it ended.
        axis: what that length is counted in, as the paper's figure has it.
    """

    reading: Reading
    headline: str
    over: str = ""
    axis: Axis = "episodes"

    def until(self, runs: Sequence[Run]) -> float:
        """How many episodes, or steps, of each of `runs` are looked at."""
        return common_length(runs, self.over, self.axis) if self.over else math.inf

    def length(self, runs: Sequence[Run], until: float) -> str:
        """How far `runs` were looked at, in words."""
        if not self.over:
            return updates_of(runs, self.headline)
        if not runs:
            return ""
        planned = max(run.config["t_max"] if self.axis == "steps" else _planned_episodes(run) for run in runs)
        complete = until >= WHOLE_LENGTH * planned
        return f"{short_steps(until)}{'' if complete else f' of {short_steps(planned)}'} {self.axis}"


@dataclass(frozen=True)
class Row(ABC):
    """A claim in one scenario.

    Attributes:
        where: the scenario.
        sides: the things that are compared, by the names that they have in the table.
        measure: the number that is compared.
        judged: whether there is a verdict; False for a number to compare with.
    """

    where: str
    sides: Mapping[str, Side]
    measure: Measure
    judged: bool = True

    def finding(self, selector: RunSelector) -> Finding:
        """What the runs that `selector` has for the sides say."""
        runs = {name: list(side(selector)) for name, side in self.sides.items()}
        values, counted, until = self._read(runs)
        where, found = self.compare(values)
        numbers = "; ".join(f"{name} {spread(side)}".strip() for name, side in values.items() if side)
        gone = [f"{run.method} seed {run.seed}" for run in counted if run.diverged]
        numbers += f"; diverged: {', '.join(gone)}" if gone else ""
        length = self.measure.length(counted, until)
        if found is None:
            seeds = listed({str(run.seed) for run in counted})
            return Finding(where, numbers, "", seeds, length, NOT_RUN if self.judged else "")
        between = found.interval
        return Finding(
            where,
            numbers,
            found.text(),
            found.seeds,
            length,
            found.verdict if self.judged else "",
            f"[{between[0]:+.3f}, {between[1]:+.3f}]" if between else "",
            str(found.count),
            found.p if self.judged else None,
            found.holds,
        )

    def _read(self, runs: Mapping[str, Sequence[Run]]) -> tuple[dict[str, Values], Sequence[Run], float]:
        """The numbers of each side, the runs that the row speaks of, and how many of their episodes it looks at."""
        every = [run for group in runs.values() for run in group]
        until = self.measure.until(every)
        return (
            {name: measured(group, self.measure.reading, until) for name, group in runs.items()},
            every,
            until,
        )

    @abstractmethod
    def compare(self, values: Mapping[str, Values]) -> tuple[str, Estimate | Similarity | None]:
        """The row's name, and what its verdict rests on; None where runs are missing."""


@dataclass(frozen=True)
class Difference(Row):
    """The first side minus the second."""

    def compare(self, values: Mapping[str, Values]) -> tuple[str, Estimate | None]:
        return self.where, difference(*values.values())


@dataclass(frozen=True)
class Best(Row):
    """The first side minus the best of the others, which is named; all of them must have runs."""

    def compare(self, values: Mapping[str, Values]) -> tuple[str, Estimate | None]:
        ours, *others = values
        best = best_of({name: values[name] for name in others})
        if best is None or not values[ours]:
            return self.where, None
        return f"{self.where}, against {best}", difference(values[ours], values[best])


@dataclass(frozen=True)
class Level(Row):
    """The only side minus a level, or with `below` the level minus the side."""

    level: float = 0.0
    below: bool = False

    def compare(self, values: Mapping[str, Values]) -> tuple[str, Estimate | None]:
        (side,) = values.values()
        sign = -1 if self.below else 1
        return self.where, estimate({seed: sign * value for seed, value in side.items()}, sign * self.level)

    def finding(self, selector: RunSelector) -> Finding:
        found = super().finding(selector)
        # where it is not judged, nobody claimed this level
        return found if self.judged else replace(found, difference="", interval="")


@dataclass(frozen=True)
class Apart(Row):
    """The first side minus the second, each over its own episodes and unpaired: they are of different scenarios."""

    def _read(self, runs: Mapping[str, Sequence[Run]]) -> tuple[dict[str, Values], Sequence[Run], float]:
        until = {name: self.measure.until(group) for name, group in runs.items()}
        first = next(iter(runs))
        values = {name: measured(group, self.measure.reading, until[name]) for name, group in runs.items()}
        return values, runs[first], until[first]

    def compare(self, values: Mapping[str, Values]) -> tuple[str, Estimate | None]:
        return self.where, difference(*values.values(), paired=False)


@dataclass(frozen=True)
class Similar(Row):
    """Whether the means of all sides lie within a margin of each other.

    Attributes:
        margin: what still counts as alike, in the measure's unit; the claim says why it is this one.
    """

    margin: float = field(kw_only=True)

    def compare(self, values: Mapping[str, Values]) -> tuple[str, Similarity | None]:
        return self.where, similarity(list(values.values()), self.margin)


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes:
        number: to speak of it.
        says: the claim, with its place in the paper.
        how: how it is measured, in one sentence.
        rows: the scenarios in which it is tested.
    """

    number: str
    says: str
    how: str
    rows: Sequence[Row]


def findings_of(claims: Sequence[Claim], selector: RunSelector) -> list[list[Finding]]:
    """What the runs say for each row of each claim, verdicts corrected for the number of tests among all of them."""
    findings = [[row.finding(selector) for row in claim.rows] for claim in claims]
    held = iter(holm([found.p for of_claim in findings for found in of_claim]))
    return [[_corrected(found, held=next(held)) for found in of_claim] for of_claim in findings]


def _corrected(found: Finding, *, held: bool) -> Finding:
    return found if found.p is None else replace(found, verdict=verdict(0.0 if held else 1.0, found.holds))


def _planned_episodes(run: Run) -> float:
    """The episodes that a run has when it is done, as far as one can tell."""
    last = run.records[-1] if run.records else None
    return run.config["t_max"] * last.episode / last.t_env if last and last.t_env else 0.0
