"""`run.py ls`: a table of runs, or of groups of runs."""

from collections.abc import Iterable, Sequence

import numpy as np

from cohort.analysis import options
from cohort.analysis.fields import Value
from cohort.analysis.language import Column, parse_columns
from cohort.analysis.runs import Run
from cohort.analysis.tables import exact, shown, write_table
from cohort.arguments import Parser

COLUMNS = "status, method, map, seed, t_env, headline, wall, age, name"
# left out where there is no room, the first first; method, map and seed stand in the name, too
SECONDARY = ("age", "wall", "map", "method", "t_env", "headline")
WHOLE = ("name", "seed", "method", "map", "label", "status")  # fields that are folded last of all
GROUP_COLUMNS = "t_env, metrics.test_return_mean, speed"
EXAMPLES = """examples:
  run.py ls
  run.py ls results --where "config.mixer=qmix and metrics.test_battle_won_mean>0.8"
  run.py ls --where "status in (FAILED, DEAD)" --columns "name, t_env, age"
  run.py ls --sort "max(metrics.test_return_mean) desc"
  run.py ls --by map,method --columns "metrics.test_battle_won_mean as wins, reached(metrics.test_battle_won_mean, 0.9)"

"""


def main(words: Sequence[str]) -> int:
    """List runs as `words` say; the exit status."""
    parser = Parser("ls", "Lists runs.", EXAMPLES + options.FIELDS)
    options.add_source(parser)
    parser.add_argument("--columns", metavar="FIELDS", help=f"default: {COLUMNS}")
    parser.add_argument("--sort", metavar="FIELDS", help='as "map, seed desc"; default: started, name')
    parser.add_argument(
        "--by", metavar="FIELDS", help="one row for each value of these: median (minimum to maximum)"
    )
    options.add_form(parser)
    parser.add_argument("--csv", action="store_const", const="csv", dest="form", help="--form csv")
    chosen = parser.parse(words)

    columns = parse_columns(chosen.columns or (GROUP_COLUMNS if chosen.by else COLUMNS))
    order = parse_columns(chosen.sort or "started, name")
    by = parse_columns(chosen.by) if chosen.by else []
    typed = [text for text in (chosen.columns, chosen.sort, chosen.by) if text]
    fields = [column.field for text in typed for column in parse_columns(text)]
    runs = sorted_runs(options.chosen_runs(chosen, fields), order)
    headings = [column.title for column in [*by, *columns]]
    if by:
        headings.insert(len(by), "seeds")
        rows = [group_row(key, group, columns, chosen.form) for key, group in grouped(runs, by)]
    else:
        rows = [[_cell(column, run, chosen.form) for column in columns] for run in runs]
    secondary = () if chosen.columns or by else SECONDARY
    whole = [column.title for column in [*by, *columns] if column.field.text in WHOLE]
    write_table(headings, rows, chosen.form, secondary=secondary, whole=whole)
    return 0


def _cell(column: Column, run: Run, form: str) -> str:
    value = column.field.ask(run)
    return exact(value) if form == "csv" else shown(value, column.field.unit)


def sorted_runs(runs: Sequence[Run], order: Sequence[Column]) -> list[Run]:
    """`runs` in order; those without a value come last in either direction."""
    ordered = list(runs)
    for column in reversed(order):  # sorting is stable: the first column decides last
        values = {id(run): column.field.ask(run) for run in ordered}
        known = [run for run in ordered if _has_order(values[id(run)])]
        unknown = [run for run in ordered if not _has_order(values[id(run)])]
        known.sort(key=lambda run: _sortable(values[id(run)]), reverse=column.descending)
        ordered = known + unknown
    return ordered


def in_order(values: Iterable[Value]) -> list[Value]:
    """Values in ascending order, numbers before text, None last."""
    return sorted(values, key=lambda value: (value is None, _sortable(value)))


def grouped(runs: Sequence[Run], by: Sequence[Column]) -> list[tuple[tuple[str, ...], list[Run]]]:
    """Runs that agree in all fields of `by`, in the order of these fields."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in sorted_runs(runs, by):
        key = tuple(shown(column.field.ask(run), column.field.unit) for column in by)
        groups.setdefault(key, []).append(run)
    return list(groups.items())


def group_row(key: Sequence[str], runs: Sequence[Run], columns: Sequence[Column], form: str) -> list[str]:
    """What a group's runs have in common, their seeds, and each column over them."""
    cells = [spread([c.field.ask(run) for run in runs], c.field.unit, exactly=form == "csv") for c in columns]
    return [*key, seeds_text(runs), *cells]


def seeds_text(runs: Sequence[Run]) -> str:
    """The seeds of a group, and the number of runs where it differs or where there are too many seeds to list."""
    seeds = sorted({run.seed for run in runs}, key=_sortable)
    if len(seeds) > 12:
        return f"{len(seeds)} seeds, {len(runs)} runs"
    return ", ".join(map(str, seeds)) + (f" ({len(runs)} runs)" if len(runs) > len(seeds) else "")


def spread(values: Sequence[Value], unit: str, *, exactly: bool = False) -> str:
    """Median and range of numbers; for text, every distinct value.

    A missing number counts as greater than all others. That is right for the steps to a level that was not reached;
    elsewhere the cell shows "none", so that one sees that something is missing.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in known):
        return ", ".join(dict.fromkeys(shown(value, unit) for value in values))
    numbers = sorted([float(value) for value in known] + [float("inf")] * (len(values) - len(known)))
    with np.errstate(invalid="ignore"):
        middle = float(np.median(numbers))
    texts = [
        "none" if np.isinf(one) else _number(one, unit, exactly) for one in (middle, numbers[0], numbers[-1])
    ]
    return texts[0] if len(numbers) == 1 else f"{texts[0]} ({texts[1]} to {texts[2]})"


def _number(value: float, unit: str, exactly: bool) -> str:
    if exactly:
        return repr(value)
    return (
        f"{value:.3g}" if unit == "plain" else shown(value, unit)
    )  # the spread says more than a fourth digit


def _has_order(value: Value) -> bool:
    """Whether there is a value, and no NaN."""
    return value is not None and value == value


def _sortable(value: Value) -> tuple[int, float | str]:
    """Numbers before text, so that a field with both has an order."""
    if isinstance(value, int | float):
        return (0, float(value))
    return (1, str(value))
