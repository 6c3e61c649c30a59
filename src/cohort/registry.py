"""Registries: from a name in YAML to a class, imported only when it is chosen."""

import difflib
import importlib
from collections.abc import Iterable, Mapping

from cohort.errors import UserError, missing_package

NEAR, NEAR_SHORT = 0.75, 0.66  # difflib's ratio; one other letter of three is two thirds


def near(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Those of the known names that `name` may be a slip for, the likest first; not `use_cuda` for `use_wandb`."""
    return difflib.get_close_matches(name, list(known), n=n, cutoff=NEAR if len(name) > 3 else NEAR_SHORT)


def nearest(name: str, known: list[str]) -> str:
    """A sentence part that proposes the known names most like `name`, or nothing."""
    matches = near(name, known)
    return f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def known(name: str, noun: str, names: Iterable[str], all_of_them: str) -> str:
    """`name`, for settings whose values are among `names`, which a message calls `all_of_them`.

    Raises:
        ValueError: it is none of them: one line with the nearest, if one is near, and all.
    """
    names = list(names)
    if name not in names:
        raise ValueError(f"unknown {noun} {name!r}.{nearest(name, names)} {all_of_them}: {', '.join(names)}")
    return name


class Registry:
    """The known implementations of one noun; `package.module:Class` works wherever a name does."""

    def __init__(
        self, noun: str, entries: Mapping[str, str], extras: Mapping[str, str] | None = None
    ) -> None:
        """`entries`: name -> "module:Class". `extras`: name -> the requirements file its packages come from."""
        self.noun = noun
        self.entries = dict(entries)
        self._extras = dict(extras or {})

    def load(self, name: str) -> type:
        """The class behind a name. Raises `UserError` when there is none or a package it needs is missing."""
        target = self.entries.get(name, name)
        if ":" not in target:
            raise UserError(
                f"unknown {self.noun} {name!r}.{nearest(name, list(self.entries))}\n"
                f"Known: {', '.join(sorted(self.entries))}; or package.module:Class from your own code."
            )
        module_name, _, class_name = target.partition(":")
        try:
            module = importlib.import_module(module_name)
        except Exception as error:  # code from anywhere may fail in any way
            raise UserError(self._not_imported(name, error)) from error
        found = getattr(module, class_name, None)
        if not isinstance(found, type):
            classes = [each for each, value in vars(module).items() if isinstance(value, type)]
            raise UserError(
                f"{self.noun} {name!r}: module {module_name!r} has no class {class_name!r}."
                f"{nearest(class_name, classes)}"
            )
        if not _is_settings(getattr(found, "Settings", None)):
            raise UserError(
                f"{self.noun} {name!r}: {class_name} needs an attribute Settings, a subclass of "
                "cohort.settings.Settings that declares its keys; NoSettings where there are none."
            )
        return found

    def _not_imported(self, name: str, error: Exception) -> str:
        if name in self._extras and isinstance(error, ImportError):
            return str(missing_package(f"{self.noun} {name!r}", error, self._extras[name]))
        return f"{self.noun} {name!r} cannot be imported: {type(error).__name__}: {error}"


def _is_settings(value: object) -> bool:
    from cohort.settings import Settings  # with pydantic: a list of names does not wait for it

    return isinstance(value, type) and issubclass(value, Settings)
