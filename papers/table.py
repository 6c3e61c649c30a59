"""`run.py table NAME`: a published table, from recorded runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from cohort.analysis import options
from cohort.analysis.tables import write, write_table
from cohort.arguments import Parser
from papers import TABLES, add_name, listing, load
from papers.figure_spec import RunSelector

EXAMPLES = f"""tables:
{listing(TABLES)}

examples:
  run.py table meta_mapg-q3
  run.py table meta_mapg-q3 results --where "updates>=500" --markdown

"""


@dataclass(frozen=True)
class Table:
    """Rows of text, and in a sentence or more what they are."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    said: Sequence[str]


def main(words: Sequence[str]) -> int:
    """Write the table that `words` name; the exit status."""
    parser = Parser("table", "Makes a published table from recorded runs.", EXAMPLES + options.FIELDS)
    add_name(parser, TABLES)
    options.add_source(parser)
    options.add_form(parser)
    chosen = parser.parse(words)
    selector = RunSelector(options.chosen_runs(chosen))
    table: Table = load("table", TABLES, chosen.name)(selector)
    write_table(table.headings, table.rows, chosen.form)
    if chosen.form != "csv":
        bullet = "- " if chosen.form == "markdown" else ""
        told = [*table.said, *selector.departures, *selector.notes]
        write("".join(f"{line}\n" for line in ["", *(f"{bullet}{each}" for each in told)]))
    if chosen.form == "table":
        write("".join(f"{line}\n" for line in selector.remarks + selector.commands))
    return 0
