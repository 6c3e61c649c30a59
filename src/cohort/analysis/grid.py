"""One number over two fields."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohort.analysis.fields import Value
from cohort.analysis.language import Column
from cohort.analysis.runs import Run
from cohort.analysis.tables import shown


@dataclass(frozen=True)
class Grid:
    """One number for each pair of values.

    Attributes:
        x, y: the fields, with their headings.
        metric: the number.
        columns, rows: the values of x and y that runs have, in order.
        runs: [Y, X] the runs of each cell, by row and column.
        means: [Y, X] the mean over these; NaN without a run that has the number, or where one has diverged.
        diverged: [Y, X] whether the metric of a run had ceased to be finite when it ended.
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


def short(column: Column) -> str:
    """A field's heading, or the last part of its name."""
    return column.title.rpartition(".")[2] if column.title == column.field.text else column.title
