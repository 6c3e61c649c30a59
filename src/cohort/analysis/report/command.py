"""`run.py report`: one HTML page from runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from cohort.analysis import options
from cohort.analysis.language import parse_columns
from cohort.analysis.output import write_file
from cohort.analysis.plot import add_curves, curve_settings, refuse_curves
from cohort.analysis.report.build import Contents, report
from cohort.analysis.report.charts import require_plotly
from cohort.analysis.report.media import MEGABYTE
from cohort.arguments import Parser
from cohort.errors import UserError

EXAMPLES = """examples:
  run.py report
  run.py report results --where "map=3m" --out 3m.html
  run.py report --by method,config.lr --metric test_return_mean,loss --media-mb 100

"""


def main(words: Sequence[str]) -> int:
    """Write the page that `words` ask for; the exit status."""
    chosen = _parse(words)
    require_plotly()
    by = parse_columns(chosen.by)
    runs = options.chosen_runs(chosen, [column.field for column in by])
    if not runs:
        raise UserError("There are no such runs: nothing to report.")
    contents = Contents(by, chosen.metric, curve_settings(chosen), chosen.media_mb, chosen.title)
    page = report(runs, contents)
    write_file(chosen.out, lambda file: file.write(page.encode()))
    print(f"{len(runs)} runs: {chosen.out} ({chosen.out.stat().st_size / MEGABYTE:.1f} MB)")
    return 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "report", "Writes one HTML page about runs, which needs no network.", EXAMPLES + options.FIELDS
    )
    options.add_source(parser)
    add_curves(parser)
    parser.add_argument("--title", default="", metavar="TEXT", help="of the page")
    parser.add_argument(
        "--media-mb",
        type=float,
        default=20.0,
        metavar="MB",
        help="videos and pictures that the page may hold; default: %(default)g",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("report.html"), metavar="FILE", help="default: %(default)s"
    )
    chosen = parser.parse(words)
    refuse_curves(parser, chosen)
    if not 0 <= chosen.media_mb < float("inf"):
        parser.error(f"--media-mb {chosen.media_mb:g}: must be 0 or more")
    if chosen.out.suffix.lower() not in (".html", ".htm"):
        parser.error(f"--out {chosen.out}: must end in .html")
    return chosen
