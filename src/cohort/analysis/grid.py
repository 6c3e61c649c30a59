"""A grid of runs: one number for each pair of values of two fields."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohort.analysis import comparability
from cohort.analysis.fields import Value
from cohort.analysis.language import Column
from cohort.analysis.ls import in_order
from cohort.analysis.runs import Run
from cohort.analysis.tables import shown
from cohort.errors import UserError

CHOOSE = "Choose with --where."


@dataclass(frozen=True)
class Grid:
    """One number for each pair of values.

    Attributes:
        x, y: the fields, with their headings.
        metric: the number.
        columns, rows: the values of x and y that runs have, in order.
        runs: [Y, X] the runs of each cell, by row and column.
        means: [Y, X] the mean over these; NaN without a run that has the number, or where one has diverged.
        diverged: [Y, X] whether the metric of one of its runs was no longer finite at the end.
    """

    x: Column
    y: Column
    metric: Column
    columns: Sequence[Value]
    rows: Sequence[Value]
    runs: Sequence[Sequence[Sequence[Run]]]
    means: np.ndarray
    diverged: np.ndarray

    def best(self, *, lowest: bool) -> tuple[int, int] | None:
        """Row and column of the greatest, or least, mean; None where there is none."""
        if np.isnan(self.means).all():
            return None
        place = np.nanargmin(self.means) if lowest else np.nanargmax(self.means)
        row, column = np.unravel_index(place, self.means.shape)
        return int(row), int(column)

    def name(self, row: int, column: int) -> str:
        """A cell, as one would type it."""
        pairs = ((self.x, self.columns[column]), (self.y, self.rows[row]))
        return ", ".join(f"{short(each)}={shown(value, each.field.unit)}" for each, value in pairs)


def make_grid(runs: Sequence[Run], x: Column, y: Column, metric: Column) -> Grid:
    """The cells of `runs`.

    Raises:
        UserError: the runs of a cell are not seeds of one configuration, or the metric is not a number.
    """
    columns, rows = (in_order({column.field.ask(run) for run in runs}) for column in (x, y))
    cells: list[list[list[Run]]] = [[[] for _ in columns] for _ in rows]
    for run in runs:
        cells[rows.index(y.field.ask(run))][columns.index(x.field.ask(run))].append(run)
    means, diverged = np.full((len(rows), len(columns)), math.nan), np.zeros((len(rows), len(columns)), bool)
    grid = Grid(x, y, metric, columns, rows, cells, means, diverged)
    for row, column in np.ndindex(means.shape):
        cell = cells[row][column]
        _refuse_mixed(cell, f"{grid.name(row, column)}: the runs of this cell")
        diverged[row, column] = any(run.diverged for run in cell)  # summaries skip what is not finite
        values = [_number(value, metric) for run in cell if (value := metric.field.ask(run)) is not None]
        if values and not diverged[row, column]:
            means[row, column] = np.mean(values)
    return grid


def short(column: Column) -> str:
    """A field's heading, or the last part of its name."""
    return column.title.rpartition(".")[2] if column.title == column.field.text else column.title


def _refuse_mixed(runs: Sequence[Run], where: str) -> None:
    worlds = sorted({f"{run.env} {run.map_name}" for run in runs})
    if len(worlds) > 1:
        raise UserError(f"{where} play different games: {', '.join(worlds)}. {CHOOSE}")
    comparability.refuse(
        [*comparability.within_curve(runs), *comparability.between_curves(runs)], where, CHOOSE
    )


def _number(value: Value, metric: Column) -> float:
    if isinstance(value, bool | str | list):
        raise UserError(
            f"--metric {metric.field.text} is {value!r}, not a number. For example: --metric metrics.test_return_mean."
        )
    return float(value or 0.0)
