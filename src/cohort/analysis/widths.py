"""How wide columns of text become on a terminal that is too narrow for them: whole names first, then whole words."""

import re
from collections.abc import Sequence

GAP = 2  # columns of the terminal between two of a table
WORD = 25  # as long as a date: longer words, as paths, are broken
HEADING = 8  # a heading is broken into parts of at least so many letters
SLIVER = 4  # no column is narrower
_JOINTS = re.compile(r"(?<=[._, ])|(?<=\w\()")  # where a heading may be broken


def column_widths(
    headings: Sequence[str], rows: Sequence[Sequence[str]], room: int, whole: Sequence[str] = ()
) -> list[int]:
    """A width for each column, together with the gaps at most `room` if that can be.

    Columns of the headings `whole` are as wide as their cells, and all others wide enough for their longest word, as
    far as there is room; what is left goes to the columns that lack most.
    """
    columns = list(zip(headings, *rows, strict=True))
    needs = [max(map(len, column)) for column in columns]
    kept = [heading in whole for heading in headings]
    widths = [
        whole_width(column) if keep else _with_heading(column[0], _longest_word(column[1:]))
        for column, keep in zip(columns, kept, strict=True)
    ]
    room -= GAP * (len(headings) - 1)
    while sum(widths) > room and (wide := _widest(widths, kept)) is not None:
        widths[wide] -= 1
    while sum(widths) < min(room, sum(needs)):
        lacking = [
            need / max(width, 1) if need > width else 0.0 for need, width in zip(needs, widths, strict=True)
        ]
        widths[lacking.index(max(lacking))] += 1
    return widths


def whole_width(column: Sequence[str]) -> int:
    """The width in which a column's cells, all but the first, stand in one line each; its heading may be broken."""
    return _with_heading(column[0], max(map(len, column[1:]), default=0))


def _with_heading(heading: str, width: int) -> int:
    return max(width, *map(len, broken(heading, max(HEADING, width))))


def _longest_word(cells: Sequence[str]) -> int:
    return max((min(len(word), WORD) for cell in cells for word in cell.split()), default=0)


def _widest(widths: Sequence[int], kept: Sequence[bool]) -> int | None:
    """The column to make narrower: the widest of those that need not be whole, then of all; None if all are slivers."""
    for candidates in ([n for n, keep in enumerate(kept) if not keep], range(len(widths))):
        wide = max(candidates, key=lambda number: widths[number], default=None)
        if wide is not None and widths[wide] > SLIVER:
            return wide
    return None


def broken(heading: str, width: int) -> list[str]:
    """A heading in lines of at most `width`, broken where its parts meet, as config.batch_size_run at "." and "_"."""
    lines = [""]
    for part in _JOINTS.split(heading):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]
