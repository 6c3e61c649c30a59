"""The kinds of rows of the table: what becomes of one key of PyMARL's or EPyMARL's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cohort.configuration.wording import brief

Flat = Mapping[str, Any]  # all layers merged, translated or not
Translation = Callable[[Any, Flat], Mapping[str, Any]]


class NotHereError(Exception):
    """A value has no counterpart here: the text says what to type instead."""


@dataclass(frozen=True)
class Row:
    """One key.

    Attributes:
        key: as the two projects have it; under `env_args` for the environments' rows.
        here: what the table says of it.
        translate: (value, everything that is said) -> our keys. Raises `NotHereError`. None: it stays as it is.
        ours: it is one of our keys too. Else a component of this run may declare it, and then it is left alone.
    """

    key: str
    here: str
    translate: Translation | None
    ours: bool = False


def same(key: str, here: str = "the same") -> Row:
    """It means here what it means there."""
    return Row(key, here, None, ours=True)


def dropped(key: str, here: str) -> Row:
    """Nothing here depends on it, whatever it says."""
    return Row(key, here, lambda value, flat: {})


def only(key: str, accepted: tuple[Any, ...], instead: str) -> Row:
    """The accepted values say what is so in any case; for all others the sentence `instead` says what to type."""

    def translate(value: Any, flat: Flat) -> Mapping[str, Any]:
        if value in accepted:
            return {}
        raise NotHereError(instead)

    return Row(key, f"{_either(accepted)}; {instead}", translate)


def renamed(key: str, ours: str) -> Row:
    """The same under another name."""
    return Row(key, f"`{ours}`", lambda value, flat: {ours: value})


def worded(key: str, here: str, words: Mapping[Any, Mapping[str, Any]]) -> Row:
    """A key of ours with words that are not; the words of ours stay."""

    def translate(value: Any, flat: Flat) -> Mapping[str, Any]:
        return words[value] if isinstance(value, str | None) and value in words else {key: value}

    return Row(key, here, translate, ours=True)


def computed(key: str, here: str, translate: Translation, *, ours: bool = False) -> Row:
    """It depends on other keys."""
    return Row(key, here, translate, ours=ours)


def _either(values: tuple[Any, ...]) -> str:
    return " or ".join(f"`{'null' if value is None else brief(value)}`" for value in values)
