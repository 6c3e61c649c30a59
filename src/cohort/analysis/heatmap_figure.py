"""Drawing a grid: cells with their values, the best one framed."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cohort.analysis.figure import small_print, styled, write
from cohort.analysis.grid import Grid
from cohort.analysis.tables import shown

CELL = (0.46, 0.3)  # inches
MARGINS = (1.7, 0.9)
NO_VALUE, FRAME = "#cccccc", "#d62728"
DIVERGED = "div."


def draw(grid: Grid, best: tuple[int, int], path: Path, *, notes: Sequence[str], title: str = "") -> None:
    """Write a figure of `grid`; the first row is at the bottom.

    Args:
        grid: what to draw.
        best: row and column of the cell to frame.
        path: the file.
        notes: small print below.
        title: a line above, instead of the metric's name.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    n_rows, n_columns = grid.means.shape
    width = max(3.3, CELL[0] * n_columns + MARGINS[0])
    lines = small_print([*notes, f"framed: the best, {grid.name(*best)}"], width)
    height = max(1.0, CELL[1] * n_rows) + MARGINS[1] + 0.12 * len(lines)
    with styled(width, height) as figure:
        axes = figure.subplots()
        colours = colormaps["viridis"].with_extremes(bad=NO_VALUE)
        image = axes.imshow(np.ma.masked_invalid(grid.means), colours, origin="lower", aspect="auto")
        for row, column in np.ndindex(grid.means.shape):
            text = DIVERGED if grid.diverged[row, column] else written(grid.means[row, column], grid.means)
            dark = image.norm(grid.means[row, column]) < 0.6 if text not in ("", DIVERGED) else False
            axes.text(
                column, row, text, ha="center", va="center", fontsize=6, color="white" if dark else "black"
            )
        corner = (best[1] - 0.5, best[0] - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=FRAME, linewidth=1.8, clip_on=False))
        for axis, column, values in ((axes.xaxis, grid.x, grid.columns), (axes.yaxis, grid.y, grid.rows)):
            texts = [shown(value, column.field.unit) or "none" for value in values]
            axis.set_ticks(range(len(values)), texts)
            axis.set_label_text(column.title.removeprefix("config."))
        crowded = max(len(shown(value, grid.x.field.unit)) for value in grid.columns) > 6
        axes.tick_params(axis="x", rotation=45 if crowded else 0)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(title or grid.metric.title, fontsize=8)
        figure.colorbar(image, ax=axes, pad=0.02).outline.set_visible(False)
        figure.supxlabel("\n".join(lines), fontsize=6.5, color="#555555", x=0.01, ha="left")
        write(figure, path)


def written(value: float, values: np.ndarray) -> str:
    """A cell's value, with as many decimals as give the greatest of `values` three digits; empty for NaN."""
    if math.isnan(value):
        return ""
    greatest = np.nanmax(np.abs(values))
    decimals = 2 - math.floor(math.log10(greatest)) if greatest > 0 else 0
    return f"{value:.{min(max(decimals, 0), 6)}f}"
