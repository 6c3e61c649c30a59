"""`run.py claims NAME`: what a paper says in words, held against recorded runs."""

from collections.abc import Sequence

from cohort.analysis import options
from cohort.analysis.tables import write, write_table
from cohort.arguments import Parser
from papers import CLAIMS, add_name, listing, load
from papers.evidence import RULE, Claim
from papers.figure_spec import RunSelector, plain

HEADINGS = (
    "",
    "the paper says",
    "where",
    "measured (± sd)",
    "difference (± se)",
    "seeds",
    "length",
    "verdict",
)
EXAMPLES = f"""papers:
{listing(CLAIMS)}

examples:
  run.py claims adama
  run.py claims adama results --where "config.batch_size_run=4" --markdown

"""


def main(words: Sequence[str]) -> int:
    """Judge the paper that `words` name; the exit status."""
    parser = Parser(
        "claims", "Holds what a paper says in words against recorded runs.", EXAMPLES + options.FIELDS
    )
    add_name(parser, CLAIMS)
    options.add_source(parser)
    options.add_form(parser)
    chosen = parser.parse(words)
    selector = RunSelector(options.chosen_runs(chosen))
    claims: Sequence[Claim] = load("paper", CLAIMS, chosen.name)(selector)
    write_table(HEADINGS, rows(claims), chosen.form)
    if chosen.form != "csv":
        write(explanation(claims, chosen.form))
    if chosen.form == "table":
        write(
            "".join(
                f"{line}\n"
                for line in ["", *selector.departures, *selector.notes, *selector.remarks, *selector.commands]
            )
        )
    return 0


def rows(claims: Sequence[Claim]) -> list[list[str]]:
    """One row for each scenario of each statement, under `HEADINGS`; the statement stands in its first."""
    table = []
    for claim in claims:
        for place, found in enumerate(claim.findings):
            says = [claim.number, claim.says] if place == 0 else ["", ""]
            cells = (
                found.where,
                found.measured,
                found.difference,
                found.seeds,
                found.length,
                found.verdict,
            )
            table.append([plain(cell) for cell in (*says, *cells)])
    return table


def explanation(claims: Sequence[Claim], form: str) -> str:
    """How each statement was measured, and what makes a verdict."""
    bullet = "- " if form == "markdown" else ""
    lines = [f"{bullet}{claim.number}: {plain(claim.how)}" for claim in claims]
    return "\n" + "\n".join([*lines, f"{bullet}{RULE}"]) + "\n"
