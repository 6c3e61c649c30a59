"""`Table`: a paper's table before it is written."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Attributes:
        headings: one for each cell of a row.
        rows: the cells.
        notes: sentences that say what the numbers are.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
