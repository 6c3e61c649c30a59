"""Our runs beside published ones: on the same map, with the same method, at the same point."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.real_game.published import Cell, Published, RealCurve, Source
from cohort.analysis import comparability
from cohort.analysis.runs import Run
from cohort.recording.curve import short_steps

METRIC = "test_battle_won_mean"
SIMULATOR = "sc2_sim"
REMEDY = "Choose with --where."


@dataclass(frozen=True)
class Row:
    """One map and method at one point.

    Attributes:
        map_name, method: the cell.
        source: where the real numbers are from.
        at: the point, in what the source's axis counts.
        ours: [n] win rates of our runs there.
        real: [m] win rates of the published runs there.
        short: whether the published curve goes on while one of our runs does not.
    """

    map_name: str
    method: str
    source: Source
    at: int
    ours: np.ndarray
    real: np.ndarray
    short: bool

    @property
    def place(self) -> str:
        """The point in words: 500k, or 20k episodes."""
        return short_steps(self.at) + ("" if self.source.axis == "steps" else f" {self.source.axis}")


def preferred(published: Published, source: str | None = None) -> dict[Cell, RealCurve]:
    """The curve that each cell is compared with: the first, or that of `source`."""
    if source is None:
        return {cell: next(iter(curves.values())) for cell, curves in published.curves.items()}
    return {cell: curves[source] for cell, curves in published.curves.items() if source in curves}


def our_cells(runs: Iterable[Run]) -> dict[Cell, list[Run]]:
    """Our runs on the simulator, by map and method."""
    cells: dict[Cell, list[Run]] = {}
    for run in runs:
        if run.env == SIMULATOR and not run.config.get("evaluate"):
            cells.setdefault((run.map_name, run.method), []).append(run)
    return cells


def refuse_mixed(cells: Mapping[Cell, Sequence[Run]]) -> None:
    """Refuse runs that are not seeds of one method, and games that differ between the runs of one map.

    Raises:
        UserError: there are such runs.
    """
    maps: dict[str, list[Run]] = {}
    for (map_name, method), members in cells.items():
        found = comparability.within_curve(members)
        comparability.refuse(found, f"{map_name}, {method}: these runs", REMEDY)
        maps.setdefault(map_name, []).extend(members)
    for map_name, members in maps.items():
        found = comparability.between_curves(members)
        comparability.refuse(found, f"{map_name}: runs that are to be compared", REMEDY)


def rows_of(cell: Cell, runs: Sequence[Run], curve: RealCurve) -> list[Row]:
    """A row for each published point that a run of ours reaches."""
    source = curve.source
    series = [run.series(METRIC, source.axis) for run in runs]
    end = max(curve.points)
    short = any(value_at(x, y, end, source.window) is None for x, y in series)
    rows = []
    for at, real in sorted(curve.points.items()):
        values = [value_at(x, y, at, source.window) for x, y in series]
        ours = np.array([value for value in values if value is not None])
        if len(ours):
            rows.append(Row(*cell, source, at, ours, real, short and at < end))
    return rows


def value_at(x: np.ndarray, y: np.ndarray, at: float, window: float) -> float | None:
    """The mean of the tests y [K], made at x [K], in the `window` that ends at `at`.

    None where there is no test in it, or where the run ends more than half a window before `at`.
    """
    inside = (x > at - window) & (x <= at)
    if not inside.any() or x[-1] < at - window / 2:
        return None
    return float(y[inside].mean())


def last_rows(rows: Iterable[Row]) -> list[Row]:
    """Each cell's row at the last point that all its runs reach, or as many of them as reach a point at all."""
    best: dict[Cell, Row] = {}
    for row in sorted(rows, key=lambda row: (len(row.ours), row.at)):
        best[row.map_name, row.method] = row
    return sorted(best.values(), key=order)


def missing(curves: Mapping[Cell, RealCurve], ours: Iterable[Cell], rows: Sequence[Row]) -> list[str]:
    """Lines that say which cells are compared on one side only, and which of our runs are too short."""
    ours = list(ours)
    reached = {(row.map_name, row.method) for row in rows}
    lines = {
        "No run of ours": [cell for cell in curves if cell not in ours],
        "Nothing published": [cell for cell in ours if cell not in curves],
        "Too short for the first published point": [
            cell for cell in ours if cell in curves and cell not in reached
        ],
    }
    return [f"{what}: {_listed(cells)}" for what, cells in lines.items() if cells]


def _listed(cells: Iterable[Cell]) -> str:
    methods: dict[str, list[str]] = {}
    for map_name, method in cells:
        methods.setdefault(map_name, []).append(method)
    return "; ".join(f"{map_name} ({', '.join(names)})" for map_name, names in methods.items())


def order(row: Row) -> tuple[str, str, int]:
    return row.map_name, row.method, row.at
