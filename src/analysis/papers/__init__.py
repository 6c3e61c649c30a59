"""What published papers show, made again from recorded runs: their figures, and what they say in words.

A paper is a file or two here and a line in these registries; `package.module:function` works wherever a name does.
"""

from collections.abc import Callable, Mapping
from importlib import import_module

from src.errors import UserError
from src.registry import nearest

# name -> ("module:function of the runs, returning a `Sheet`", what it shows)
FIGURES: dict[str, tuple[str, str]] = {
    "adama-3": ("src.analysis.papers.adama:learning_curves", "learning curves in the four scenarios"),
    "adama-4": ("src.analysis.papers.adama:directions", "actors' shares in their learning rate, single runs"),
    "adama-5": ("src.analysis.papers.adama:magnitudes", "learning rates of critic and actors, single runs"),
    "adama-6": ("src.analysis.papers.adama:second_order", "learning curves with the second order"),
    "adama-7": ("src.analysis.papers.adama:scales", "predator-prey with different m, and D over a run"),
}

# name -> ("module:function of a `Desk`, returning `Claim`s", whose statements)
CLAIMS: dict[str, tuple[str, str]] = {
    "adama": ("src.analysis.papers.adama_claims:statements", "nine statements about figures 3 to 7"),
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


def listing(registry: Mapping[str, tuple[str, str]]) -> str:
    """Names and what they stand for, for --help."""
    return "\n".join(f"  {name:<12}{sentence}" for name, (_, sentence) in registry.items())
