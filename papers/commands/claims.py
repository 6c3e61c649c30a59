"""`run.py claims NAME`: what a paper says in words, tested on recorded runs."""

from collections.abc import Sequence

from cohort.analysis import options
from cohort.analysis.report.claims import Verdicts
from cohort.analysis.runs import Run
from cohort.analysis.tables import write, write_table
from cohort.arguments import Parser
from cohort.errors import UserError
from papers.claim import Claim, Finding, findings_of
from papers.evidence import NOT_RUN, RULE, TOO_FEW
from papers.registry import CLAIMS, add_name, kept_runs, listing, load
from papers.run_selector import RunSelector
from papers.wording import plain

HEADINGS = (
    "",
    "the paper says",
    "where",
    "measured (± sd)",
    "difference (± se)",
    "95 % interval",
    "n",
    "seeds",
    "length",
    "p",
    "verdict",
)
BRIEF = ("", "the paper says", "where", "difference (± se)", "95 % interval", "n", "verdict")
EXAMPLES = f"""papers:
{listing(CLAIMS)}

examples:
  run.py claims adama
  run.py claims adama results --where "config.batch_size_run=4" --markdown
  run.py claims meta_mapg --brief --markdown         # what papers/README.md has

"""


def main(words: Sequence[str]) -> int:
    """Test the claims of the paper that `words` name; the exit status."""
    parser = Parser("claims", "Tests what a paper says in words on recorded runs.", EXAMPLES + options.FIELDS)
    add_name(parser, CLAIMS)
    options.add_source(parser)
    options.add_form(parser)
    parser.add_argument("--brief", action="store_true", help="verdicts with number, interval and seeds alone")
    chosen = parser.parse(words)
    runs = options.chosen_runs(chosen, kept=kept_runs(chosen.name))
    claims, selector, findings = tested(chosen.name, runs)
    table = rows(claims, findings)
    if chosen.brief:
        kept = [HEADINGS.index(heading) for heading in BRIEF]
        write_table(BRIEF, [[row[place] for place in kept] for row in table], chosen.form)
        return 0
    write_table(HEADINGS, table, chosen.form)
    if chosen.form != "csv":
        write(explanation(claims, chosen.form))
    if chosen.form == "table":
        write("".join(f"{line}\n" for line in ["", *said_of(selector), *selector.commands]))
    return 0


def tested(name: str, runs: Sequence[Run]) -> tuple[Sequence[Claim], RunSelector, list[list[Finding]]]:
    """The claims of a paper, what was chosen from `runs`, and what came out for each row of each claim."""
    claims: Sequence[Claim] = load("paper", CLAIMS, name)(runs)
    selector = RunSelector(runs)
    return claims, selector, findings_of(claims, selector)


def said_of(selector: RunSelector) -> list[str]:
    """What to know of the runs that were chosen."""
    return [*selector.departures, *selector.notes, *selector.remarks]


def verdicts(runs: Sequence[Run]) -> list[Verdicts]:
    """For `run.py report`: the rows that `runs` are of, of each paper on which they allow a verdict at all."""
    found = []
    for name in CLAIMS:
        try:
            claims, selector, findings = tested(name, runs)
        except UserError as error:
            found.append(Verdicts(name, ("not tested",), ((str(error),),), ()))
            continue
        if all(each.verdict in ("", TOO_FEW, NOT_RUN) for of_claim in findings for each in of_claim):
            continue
        measured = [[each for each in of_claim if each.measured] for of_claim in findings]
        lacking = sum(map(len, findings)) - sum(map(len, measured))
        missing = [f"No runs here for {lacking} more rows: run.py claims {name} says how to make them."]
        how = [
            f"{claim.number}: {plain(claim.how)}"
            for claim, of_claim in zip(claims, measured, strict=True)
            if of_claim
        ]
        notes = [*how, RULE, *said_of(selector), *(missing if lacking else [])]
        found.append(Verdicts(name, HEADINGS, rows(claims, measured), notes))
    return found


def rows(claims: Sequence[Claim], findings: Sequence[Sequence[Finding]]) -> list[list[str]]:
    """One row for each finding of each claim, under `HEADINGS`; the claim stands in its first."""
    table = []
    for claim, of_claim in zip(claims, findings, strict=True):
        for place, found in enumerate(of_claim):
            says = [claim.number, claim.says] if place == 0 else ["", ""]
            cells = (
                found.where,
                found.measured,
                found.difference,
                found.interval,
                found.count,
                found.seeds,
                found.length,
                "" if found.p is None else f"{found.p:.2g}",
                found.verdict,
            )
            table.append([plain(cell) for cell in (*says, *cells)])
    return table


def explanation(claims: Sequence[Claim], form: str) -> str:
    """How each claim is measured, and what makes a verdict."""
    bullet = "- " if form == "markdown" else ""
    lines = [f"{bullet}{claim.number}: {plain(claim.how)}" for claim in claims]
    return "\n" + "\n".join([*lines, f"{bullet}{RULE}"]) + "\n"
