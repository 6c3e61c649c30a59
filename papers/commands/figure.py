"""`run.py figure NAME`: a published figure, from recorded runs."""

import argparse
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from cohort.analysis import options
from cohort.analysis.figure import SUFFIXES, draw
from cohort.arguments import Parser
from cohort.errors import UserError
from papers.figure_spec import FigureSpec
from papers.registry import FIGURES, add_name, kept_runs, listing, load
from papers.wording import plain

EXAMPLES = f"""figures:
{listing(FIGURES)}

examples:
  run.py figure adama-3
  run.py figure adama-5 results --where "seed=2" --out rates.pdf

"""


def main(words: Sequence[str]) -> int:
    """Draw the figure that `words` name; the exit status."""
    chosen = _parse(words)
    make = load("figure", FIGURES, chosen.name)
    spec: FigureSpec = (
        make(options.chosen_runs(chosen, kept=kept_runs(chosen.name))) if needs_runs(make) else make()
    )
    missing = [f"missing: {what}\n  {command}" for what, command in spec.missing.items()]
    if not spec.panels:
        raise UserError("\n".join([f"There are no runs of {chosen.name}: nothing to draw.", *missing]))
    out = chosen.out or Path(f"{chosen.name.rpartition(':')[2]}.png")
    draw(
        spec.panels,
        out,
        x_label=spec.x_label,
        caption=spec.caption,
        notes=[plain(note) for note in [*spec.notes, *spec.absent]],
        title=chosen.title,
        columns=spec.columns or min(len(spec.panels), 3 if len(spec.panels) == 3 else 2),
        entries=spec.entries,
        same_colour=spec.same_colour,
    )
    for line in [*spec.notes, *spec.remarks, *missing]:
        print(plain(line))
    print(f"{chosen.name}: {out}")
    return 0


def needs_runs(make: Callable) -> bool:
    """Whether a figure is a function of runs; one without parameters is computed."""
    return bool(inspect.signature(make).parameters)


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser("figure", "Draws a published figure from recorded runs.", EXAMPLES + options.FIELDS)
    add_name(parser, FIGURES)
    options.add_source(parser)
    parser.add_argument("--title", default="", metavar="TEXT", help="a line above the figure")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.png")
    chosen = parser.parse(words)
    if chosen.out is not None and chosen.out.suffix.lower() not in SUFFIXES:
        parser.error(f"--out {chosen.out}: must end in {', '.join(SUFFIXES)}")
    return chosen
