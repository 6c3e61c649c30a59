"""Verdicts of papers' claims. Papers lie beside the package, not in it: the function is found by its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from cohort.analysis.runs import Run

MODULE, FUNCTION = "papers.commands.claims", "verdicts"


@dataclass(frozen=True)
class Verdicts:
    """What runs say of one paper.

    Attributes:
        paper: its name, as `run.py claims` takes it.
        headings, rows: a table with a row for each scenario of a claim that the runs are of.
        notes: how claims are measured, and what to know of the runs.
    """

    paper: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]


def verdicts(runs: Sequence[Run]) -> list[Verdicts]:
    """One for each paper of whose experiments `runs` are; none from an installed package, which has no papers."""
    try:
        module = import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name and MODULE.startswith(error.name):
            return []
        raise
    return getattr(module, FUNCTION)(runs)
