"""Tables on a terminal, as Markdown or as CSV, and how their values are written."""

import csv
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TextIO

from cohort.analysis.fields import Value
from cohort.analysis.widths import GAP, broken, column_widths, whole_width
from cohort.recording.curve import short_steps

if TYPE_CHECKING:
    from rich.table import Table

FORMS = ("table", "markdown", "csv")
UNBOUNDED = 10_000
_STATES = {
    "RUNNING": "cyan",
    "COMPLETED": "green",
    "INTERRUPTED": "yellow",
    "TERMINATED": "yellow",
    "FAILED": "bold red",
    "DIVERGED": "bold red",
    "DEAD": "bold red",
    "UNCLOSED": "yellow",
    "SILENT": "red",
}


def write_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    form: str = "table",
    stream: TextIO | None = None,
    secondary: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Write rows of text in one of `FORMS`; "table" is as wide as the terminal, or unbounded in a pipe.

    On a terminal that is too narrow, columns of the headings `secondary` are left out, the first named first. Then
    cells are folded, those of the headings `whole` last of all.
    """
    stream = sys.stdout if stream is None else stream
    if form == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([headings, *rows])
        write(text.getvalue(), stream)
    elif form == "markdown":
        lines = [headings, ["---"] * len(headings), *rows]
        write("".join("| " + " | ".join(_escaped(cell) for cell in line) + " |\n" for line in lines), stream)
    else:
        write(_for_terminal(headings, rows, stream, secondary, whole), stream)


def write(text: str, stream: TextIO | None = None) -> None:
    """Print text in any encoding of the stream; it is no error if the reader stops early, as `head` does."""
    stream = sys.stdout if stream is None else stream
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        # Python flushes standard output at its exit, and would fail there once more.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def room_in(stream: TextIO) -> int:
    """How many letters a line of a table may have: those of the terminal, or any number in a pipe."""
    from rich.console import Console

    return Console(file=stream).width if stream.isatty() else UNBOUNDED


def needed(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How many letters a line of the table has where nothing is folded."""
    return sum(GAP + max(map(len, column)) for column in zip(headings, *rows, strict=True)) - GAP


def _for_terminal(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    stream: TextIO,
    secondary: Sequence[str],
    whole: Sequence[str],
) -> str:
    from rich.console import Console

    console = Console(file=stream, width=room_in(stream), highlight=False)
    kept = fitting(headings, rows, console.width, secondary)
    left_out = [heading for number, heading in enumerate(headings) if number not in kept]
    headings, rows = columns_of(kept, headings, rows)
    widths = column_widths(headings, rows, console.width, whole)
    with console.capture() as captured:
        console.print(rich_table(headings, rows, overflow="fold", widths=widths))
        if left_out:
            console.print(f"no room for: {', '.join(left_out)}", style="dim")
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())


def fitting(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, secondary: Sequence[str]
) -> list[int]:
    """The numbers of the columns that are shown: all but those of `secondary` for which `width` leaves no room.

    Of these, the last named are the last to go.
    """
    needs = [GAP + whole_width(column) for column in zip(headings, *rows, strict=True)]
    kept = [number for number, heading in enumerate(headings) if heading not in secondary]
    room = width + GAP - sum(needs[number] for number in kept)
    for heading in reversed([each for each in secondary if each in headings]):
        number = headings.index(heading)
        if needs[number] <= room:
            kept.append(number)
            room -= needs[number]
    return sorted(kept)


def columns_of(
    kept: Sequence[int], headings: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of these columns alone."""
    return [headings[number] for number in kept], [[row[number] for number in kept] for row in rows]


def rich_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    overflow: Literal["fold", "ellipsis"],
    widths: Sequence[int] | None = None,
) -> "Table":
    """A table for a terminal: numbers to the right, states in colours; what is too wide is folded or cut."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        numeric = bool(rows) and all(_is_number(row[number]) for row in rows)
        justify = "right" if numeric else "left"
        width = widths[number] if widths else None
        title = "\n".join(broken(heading, width)) if width else heading
        table.add_column(
            title, justify=justify, overflow=overflow, no_wrap=overflow == "ellipsis", width=width
        )
    for row in rows:
        table.add_row(*(Text(cell, style=_STATES.get(cell, "")) for cell in row))
    return table


def shown(value: Value, unit: str = "plain") -> str:
    """A value as tables show it: empty for None, 500k steps, 1h 03m, four significant digits."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit == "steps":
        return short_steps(value)
    if unit == "seconds":
        return duration(value)
    if unit == "count":
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def exact(value: Value) -> str:
    """A value for other programs: all digits, empty for None."""
    return "" if value is None else str(value)


def duration(seconds: float) -> str:
    """Seconds in readable form: 42s, 8m 18s, 1h 03m, 3d 04h."""
    whole = round(seconds)
    for size, letter, lesser, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{letter} {whole % size // lesser:02d}{small}"
    return f"{whole}s"


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] == "-"
