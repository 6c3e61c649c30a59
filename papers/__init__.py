"""What published papers show, made again from recorded runs: their figures, and what they say in words.

A paper is a file or two here and a line in these registries; `package.module:function` works wherever a name does.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import product

from cohort.arguments import Parser
from cohort.errors import UserError
from cohort.registry import nearest

# name -> ("module:function of the runs, or of nothing, returning a `FigureSpec`", what it shows)
FIGURES: dict[str, tuple[str, str]] = {
    "adama-3": ("papers.adama.figures:learning_curves", "learning curves in the four scenarios"),
    "adama-4": ("papers.adama.figures:directions", "actors' shares in their learning rate, single runs"),
    "adama-5": ("papers.adama.figures:magnitudes", "learning rates of critic and actors, single runs"),
    "adama-6": ("papers.adama.figures:second_order", "learning curves with the second order"),
    "adama-7": ("papers.adama.figures:scales", "predator-prey with different m, and D over a run"),
    "meta_mapg-2": ("papers.meta_mapg.figures:adaptation", "adaptation at meta-testing, in all games"),
    "meta_mapg-3a": (
        "papers.meta_mapg.figures:trajectories",
        "AUC over the matches between two updates",
    ),
    "meta_mapg-3bc": ("papers.meta_mapg.peers:personas", "personas in and out of distribution"),
    "meta_mapg-4a": ("papers.meta_mapg.figures:modelling", "AUC with opponent modelling"),
    "meta_mapg-4b": ("papers.meta_mapg.figures:players", "AUC with 3 and 4 agents"),
    "meta_mapg-4c": ("papers.meta_mapg.figures:ablation", "own learning and peer learning left out"),
    "meta_mapg-7": (
        "papers.meta_mapg.peers:teammates",
        "the teammates of HalfCheetah, by their splits",
    ),
    "meta_mapg-8": (
        "papers.meta_mapg.example:paths",
        "learning paths in example 1; needs no runs",
    ),
    **{
        f"meta_mapg-{number}": (
            f"papers.meta_mapg.figures:actions_{number}",
            f"action probabilities of {method} and its peers, {game}",
        )
        for number, (game, method) in enumerate(
            product(
                ("prisoner's dilemma", "rock-paper-scissors"),
                ("Meta-PG", "LOLA-DiCE", "REINFORCE", "Meta-MAPG"),
            ),
            start=9,
        )
    },
}

# name -> ("module:function of a `RunSelector`, returning `Claim`s", whose statements)
CLAIMS: dict[str, tuple[str, str]] = {
    "adama": ("papers.adama.claims:statements", "nine statements about figures 3 to 7"),
    "meta_mapg": (
        "papers.meta_mapg.claims:statements",
        "eighteen statements about figures 2 to 4 and 9 to 16",
    ),
}

# name -> ("module:function of a `RunSelector`, returning a `Table`", what it shows)
TABLES: dict[str, tuple[str, str]] = {
    "meta_mapg-q3": ("papers.meta_mapg.table:distributions", "AUC in and out of distribution"),
}


def load(noun: str, registry: Mapping[str, tuple[str, str]], name: str) -> Callable:
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


def add_name(parser: Parser, registry: Mapping[str, tuple[str, str]]) -> None:
    """The argument that `load` understands."""
    known = ", ".join(registry)
    parser.add_argument("name", metavar="NAME", help=f"one of {known}; or package.module:function")


def listing(registry: Mapping[str, tuple[str, str]]) -> str:
    """Names and what they stand for, for --help."""
    width = max(map(len, registry)) + 3
    return "\n".join(f"  {name:<{width}}{sentence}" for name, (_, sentence) in registry.items())
