"""`FigureSpec`: a figure before it is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cohort.analysis.figure import Panel


@dataclass(frozen=True)
class FigureSpec:
    """A figure.

    Attributes:
        panels: those for which there are runs.
        x_label: below them.
        caption: what lines and bands are.
        entries: legend entries in the order of their colours.
        same_colour: legend entry -> the one whose colour it shares; it is dashed.
        notes: small print: what a reader of the figure must know.
        absent: small print that names what has no runs at all.
        remarks: what only whoever draws it wants to know.
        missing: what the figure lacks -> what to type.
    """

    panels: Sequence[Panel]
    x_label: str
    caption: str
    entries: Sequence[str] = ()
    notes: Sequence[str] = ()
    absent: Sequence[str] = ()
    remarks: Sequence[str] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    same_colour: Mapping[str, str] = field(default_factory=dict)
    columns: int | None = None
