"""What one searched key may be: one of several values, or a number of a range."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from cohort.errors import UserError
from cohort.sweep.expansion import NUMBER, is_several, plain, values

LOG = "log"
_RANGE = re.compile(rf"{NUMBER}\.\.{NUMBER}(?:\.\.(?:{NUMBER}|({LOG})))?")
_LIKE_A_RANGE = re.compile(rf"{NUMBER}\.\..*")
_WHOLE = re.compile(r"-?\d+")
DIGITS = 4  # of a proposed fraction; more where the range is narrow


class Parameter(Protocol):
    """A searched key. A value is the text that would be typed for it."""

    key: str

    @property
    def probes(self) -> tuple[str, ...]:
        """Values that must all be allowed for the whole to be: all choices, or ends and inside of a range."""

    def describe(self) -> str:
        """What it may be, for people."""


@dataclass(frozen=True)
class Choice:
    """One of several values, without an order."""

    key: str
    values: tuple[str, ...]

    @property
    def probes(self) -> tuple[str, ...]:
        return self.values

    def describe(self) -> str:
        return f"one of {', '.join(self.values)}"


@dataclass(frozen=True)
class Grid:
    """`first`, `first + step`, ...: `count` numbers at equal distances, exactly counted; whole numbers among them."""

    key: str
    first: Fraction
    step: Fraction
    count: int

    def text(self, place: int) -> str:
        """Number `place`, from 0."""
        return plain(self.first + self.step * place)

    def place(self, text: str) -> int:
        """The inverse of `text`."""
        return int((Fraction(text) - self.first) / self.step)

    @property
    def probes(self) -> tuple[str, ...]:
        return tuple(self.text(place) for place in sorted({0, 1, self.count - 1}))

    def describe(self) -> str:
        return f"{self.text(0)} to {self.text(self.count - 1)} in steps of {plain(self.step)}"


@dataclass(frozen=True)
class LogWhole:
    """Whole numbers whose logarithm is evenly spread."""

    key: str
    low: int
    high: int

    @property
    def probes(self) -> tuple[str, ...]:
        return str(self.low), str(self.low + 1), str(self.high)

    def describe(self) -> str:
        return f"{self.low} to {self.high}, whole, logarithmic"


@dataclass(frozen=True)
class Interval:
    """Any number from `low` to `high`; with `log` its logarithm is evenly spread."""

    key: str
    low: float
    high: float
    log: bool

    def text(self, number: float) -> str:
        """`number` with as many digits as matter, inside the interval."""
        narrow = max(abs(self.low), abs(self.high)) / (self.high - self.low)
        digits = DIGITS + (0 if self.log else int(math.log10(narrow)))
        return repr(min(max(float(f"{number:.{digits}g}"), self.low), self.high))

    @property
    def probes(self) -> tuple[str, ...]:
        return tuple(self.text(self.low + share * (self.high - self.low)) for share in (0, 1, 0.382))

    def describe(self) -> str:
        return f"{self.low!r} to {self.high!r}{', logarithmic' if self.log else ''}"


def parameter_of(key: str, text: str) -> Parameter | None:
    """What `text` lets the search choose for `key`; None where it is a single value.

    Raises:
        UserError: a range that is none, or a list with an empty place or the same value twice.
    """
    if found := _RANGE.fullmatch(text):
        return _range(key, text, found)
    if _LIKE_A_RANGE.fullmatch(text) and "," not in text:
        raise UserError(f"{key}={text} is no range. {_allowed(key)}")
    if not is_several(text):
        return None
    choices = values(text, key)
    if twice := [each for place, each in enumerate(choices) if each in choices[:place]]:
        raise UserError(f"{key}={text}: {twice[0]} is there twice. Name each choice once.")
    return Choice(key, tuple(choices))


def _range(key: str, text: str, found: re.Match[str]) -> Parameter:
    first, last, step, log = found.groups()
    low, high = Fraction(first), Fraction(last)
    if low >= high:
        right = f" Type {key}={last}..{first}{'..log' if log else ''}." if low > high else ""
        raise UserError(f"{key}={text}: a searched range goes from a number to a larger one.{right}")
    whole = all(_WHOLE.fullmatch(end) for end in (first, last))
    if log:
        if low <= 0:
            raise UserError(f"{key}={text}: {first} has no logarithm. Both ends must be greater than 0.")
        return LogWhole(key, int(low), int(high)) if whole else Interval(key, float(low), float(high), True)
    if step is None and not whole:
        return Interval(key, float(low), float(high), False)
    width = Fraction(step or 1)
    if not 0 < width <= high - low:
        raise UserError(
            f"{key}={text}: the step is {step}. It must be greater than 0 and at most {plain(high - low)}."
        )
    return Grid(key, low, width, (high - low) // width + 1)


def _allowed(key: str) -> str:
    return (
        f"Allowed: {key}=1..9 (whole numbers), {key}=0.1..0.9 (any number between), {key}=0.1..0.9..0.2 (in steps), "
        f"{key}=0.0001..0.01..log (spread over its logarithm), {key}=a,b (choices)."
    )
