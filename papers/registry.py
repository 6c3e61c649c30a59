"""What all papers offer, by the names that the commands take; `package.module:function` works wherever a name does."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import papers
from cohort.arguments import Parser
from cohort.errors import UserError
from cohort.registry import nearest
from papers.paper import Entry, Paper


def found_papers() -> dict[str, Paper]:
    """The papers with code: every package here whose `__init__.py` has a `PAPER`, by the name of its folder."""
    modules = [import_module(f"papers.{each.name}") for each in iter_modules(papers.__path__) if each.ispkg]
    return {module.__name__.partition(".")[2]: module.PAPER for module in modules if hasattr(module, "PAPER")}


def _entry(paper: str, entry: Entry) -> Entry:
    return f"papers.{paper}.{entry[0]}", entry[1]


PAPERS = found_papers()
FIGURES: dict[str, Entry] = {
    f"{name}-{number}": _entry(name, entry)
    for name, paper in PAPERS.items()
    for number, entry in paper.figures.items()
}
TABLES: dict[str, Entry] = {
    f"{name}-{number}": _entry(name, entry)
    for name, paper in PAPERS.items()
    for number, entry in paper.tables.items()
}
CLAIMS: dict[str, Entry] = {
    name: _entry(name, paper.claims) for name, paper in PAPERS.items() if paper.claims is not None
}


def kept_runs(name: str) -> Path:
    """Where the runs of a name's paper are kept in the repository, by `run.py export --format runs`."""
    return Path(papers.__path__[0]) / name.partition("-")[0] / "runs"


def load(noun: str, registry: Mapping[str, Entry], name: str) -> Callable:
    """The function behind a name.

    Raises:
        UserError: there is none.
    """
    target = registry[name][0] if name in registry else name
    if ":" not in target:
        raise UserError(
            f"unknown {noun} {name!r}.{nearest(name, list(registry))}\n"
            f"Known: {', '.join(registry)}; or package.module:function from your own code."
        )
    module_name, _, function = target.partition(":")
    try:
        return getattr(import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{noun} {name!r} cannot be imported: {error}") from error


def add_name(parser: Parser, registry: Mapping[str, Entry]) -> None:
    """The argument that `load` understands."""
    known = ", ".join(registry)
    parser.add_argument("name", metavar="NAME", help=f"one of {known}; or package.module:function")


def listing(registry: Mapping[str, Entry]) -> str:
    """Names and what they stand for, for --help."""
    width = max(map(len, registry)) + 3
    return "\n".join(f"  {name:<{width}}{sentence}" for name, (_, sentence) in registry.items())
