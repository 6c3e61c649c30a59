"""`Paper`: what a paper's folder offers to the commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Entry = tuple[str, str]  # "module:function", the module in the paper's folder, and a sentence for --help


@dataclass(frozen=True)
class Paper:
    """The contents of a folder, which its `__init__.py` binds to the name `PAPER`.

    Attributes:
        figures: number -> a function of the runs, or of nothing, that returns a `FigureSpec`.
        tables: number -> a function of a `RunSelector` that returns a `Table`.
        claims: a function of the runs that returns `Claim`s; None where there is none.
    """

    figures: Mapping[str, Entry] = field(default_factory=dict)
    tables: Mapping[str, Entry] = field(default_factory=dict)
    claims: Entry | None = None
