"""`run.py table NAME`: a published table, from recorded runs."""

from collections.abc import Sequence

from cohort.analysis import options
from cohort.analysis.tables import write, write_table
from cohort.arguments import Parser
from papers.registry import TABLES, add_name, kept_runs, listing, load
from papers.run_selector import RunSelector
from papers.table import Table

EXAMPLES = f"""tables:
{listing(TABLES)}

examples:
  run.py table meta_mapg-q3
  run.py table meta_mapg-q3 results --where "updates>=500" --markdown

"""


def main(words: Sequence[str]) -> int:
    """Write the table that `words` name; the exit status."""
    parser = Parser("table", "Makes a published table from recorded runs.", EXAMPLES + options.FIELDS)
    add_name(parser, TABLES)
    options.add_source(parser)
    options.add_form(parser)
    chosen = parser.parse(words)
    selector = RunSelector(options.chosen_runs(chosen, kept=kept_runs(chosen.name)))
    table: Table = load("table", TABLES, chosen.name)(selector)
    write_table(table.headings, table.rows, chosen.form)
    if chosen.form != "csv":
        bullet = "- " if chosen.form == "markdown" else ""
        notes = [*table.notes, *selector.departures, *selector.notes]
        write("".join(f"{line}\n" for line in ["", *(f"{bullet}{note}" for note in notes)]))
    if chosen.form == "table":
        write("".join(f"{line}\n" for line in selector.remarks + selector.commands))
    return 0
