"""`run.py heatmap`: one number over two fields, for example of a grid search."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cohort.analysis import comparability, options
from cohort.analysis.figure import SUFFIXES
from cohort.analysis.grid import Grid, make_grid
from cohort.analysis.heatmap_figure import draw
from cohort.analysis.language import Column, parse_columns
from cohort.analysis.ls import seeds_text
from cohort.analysis.runs import Run
from cohort.arguments import Parser
from cohort.errors import UserError

EXAMPLES = """examples:
  run.py heatmap --x config.critic_lr --y config.actor_lr_norm --metric "late(metrics.test_return_mean)" \\
      --where "method=maddpg_fixed_lr and map=going_together" --out grid.png
  run.py heatmap --x config.lr --y config.batch_size --metric "metrics.loss as last loss" --lowest

"""
LISTED = 6  # missing cells that are named


def main(words: Sequence[str]) -> int:
    """Draw what `words` say; the exit status."""
    chosen = _parse(words)
    x, y, metric = (
        _one_field(text, name)
        for text, name in ((chosen.x, "--x"), (chosen.y, "--y"), (chosen.metric, "--metric"))
    )
    fields = [column.field for column in (x, y, metric)]
    runs = [run for run in options.chosen_runs(chosen, fields) if not run.config.get("evaluate")]
    if not runs:
        raise UserError("There are no such runs: nothing to draw.")
    grid = make_grid(runs, x, y, metric)
    best = grid.best(lowest=chosen.lowest)
    if best is None:
        raise UserError(f"None of the {len(runs)} runs has {metric.field.text} yet: nothing to draw.")
    notes = notes_on(grid, runs)
    draw(grid, best, chosen.out, notes=notes, title=chosen.title)
    for note in notes:
        print(note)
    print(
        f"best: {grid.name(*best)}: {grid.means[best]:.4g} (seeds {seeds_text(grid.runs[best[0]][best[1]])})"
    )
    print(f"{len(runs)} runs: {chosen.out}")
    return 0


def notes_on(grid: Grid, runs: Sequence[Run]) -> list[str]:
    """Notes for the reader: cells without a number, diverged cells, uneven seeds, other differences."""
    places = list(np.ndindex(grid.means.shape))
    gone = [grid.name(*place) for place in places if grid.diverged[place]]
    missing = [
        grid.name(*place) for place in places if np.isnan(grid.means[place]) and not grid.diverged[place]
    ]
    counts = sorted({len(grid.runs[row][column]) for row, column in places} - {0})
    seeds = (
        f"{counts[0]} to {counts[-1]} runs" if len(counts) > 1 else f"{counts[0]} run{'s' * (counts[0] > 1)}"
    )
    notes = [f"mean over {seeds} in each cell"]
    for what, names in (("no value", missing), ("diverged", gone)):
        if names:
            more = f"; and {len(names) - LISTED} more" if len(names) > LISTED else ""
            notes.append(f"{what} in {len(names)} of {len(places)} cells: {'; '.join(names[:LISTED])}{more}")
    asked = {grid.x.field.text.removeprefix("config."), grid.y.field.text.removeprefix("config.")}
    found = [*comparability.within_curve(runs), *comparability.between_curves(runs, asked)]
    return notes + [one.short() for one in found if one.what not in asked and "seed" not in one.what]


def _one_field(text: str, option: str) -> Column:
    columns = parse_columns(text)
    if len(columns) > 1:
        raise UserError(f"{option} takes one field, not {len(columns)}: {text}")
    return columns[0]


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "heatmap",
        "Draws one number over two fields: a cell for each pair of values.",
        EXAMPLES + options.FIELDS,
    )
    options.add_source(parser)
    parser.add_argument("--x", metavar="FIELD", required=True, help="as config.critic_lr")
    parser.add_argument("--y", metavar="FIELD", required=True, help="as config.actor_lr_norm")
    parser.add_argument(
        "--metric", metavar="FIELD", required=True, help='as "late(metrics.test_return_mean)"'
    )
    parser.add_argument("--lowest", action="store_true", help="the lowest value is the best")
    parser.add_argument("--title", default="", metavar="TEXT", help="a line above the figure")
    parser.add_argument(
        "--out", type=Path, default=Path("heatmap.png"), metavar="FILE", help="default: %(default)s"
    )
    chosen = parser.parse(words)
    if chosen.out.suffix.lower() not in SUFFIXES:
        parser.error(f"--out {chosen.out}: must end in {', '.join(SUFFIXES)}")
    return chosen
