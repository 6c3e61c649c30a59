"""One command line that names several values, and the command lines of one run each that it means."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from cohort.errors import UserError

CONFIG, ENV_CONFIG = "--config", "--env-config"
LONGEST_RANGE = MOST_RUNS = 100_000
NUMBER = r"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,2})?)"
_RANGE = re.compile(rf"{NUMBER}\.\.{NUMBER}(?:\.\.{NUMBER})?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class RunWords:
    """What would have been typed for one run alone.

    Attributes:
        config: the algorithm.
        env_config: the environment.
        typed: `key=value` words.
        varied: the keys of which the sweep has several values -> this run's value.
    """

    config: str
    env_config: str
    typed: tuple[str, ...]
    varied: dict[str, str]

    @property
    def words(self) -> list[str]:
        """The words after `run.py`."""
        return [f"{CONFIG}={self.config}", f"{ENV_CONFIG}={self.env_config}", "with", *self.typed]


def expand(config: str, env_config: str, typed: Sequence[str]) -> list[RunWords]:
    """Every combination of the values that the words name; the first word varies slowest.

    Raises:
        UserError: a list has an empty place, a range is empty, or there are far too many combinations.
    """
    words = pairs(config, env_config, typed)
    axes = [values(text, key) for key, text in words]
    if (runs := math.prod(map(len, axes))) > MOST_RUNS:
        sizes = " x ".join(
            f"{len(axis):,} of {key}" for axis, (key, _) in zip(axes, words, strict=True) if len(axis) > 1
        )
        raise UserError(f"{sizes}: {runs:,} runs. A sweep may have {MOST_RUNS:,} of them.")
    several = [place for place, (key, text) in enumerate(words) if key and is_several(text)]
    found = []
    for chosen in itertools.product(*axes):
        texts = [f"{key}={text}" if key else text for (key, _), text in zip(words, chosen, strict=True)][2:]
        varied = {words[place][0]: chosen[place] for place in several}
        found.append(RunWords(chosen[0], chosen[1], tuple(texts), varied))
    return found


def names_several(config: str, env_config: str, typed: Sequence[str]) -> bool:
    """Whether these words mean a sweep."""
    return any(key and is_several(text) for key, text in pairs(config, env_config, typed))


def is_several(text: str) -> bool:
    """Whether `text` is a list with commas outside brackets and quotes, or a range of numbers."""
    parts = list(_split(text))
    return len(parts) > 1 or bool(_RANGE.fullmatch(text))


def values(text: str, key: str) -> list[str]:
    """The values that `text` names: itself, the parts of a list, the numbers of `a..b` or `a..b..step`.

    Raises:
        UserError: a list has an empty place, or a range is empty, far too long or of fractions without a step.
    """
    if not key or not is_several(text):
        return [text]
    parts = [part.strip() for part in _split(text)]
    if "" in parts:
        raise UserError(
            f"{key}={text}: this list has an empty place. Leave out the comma too many; "
            f"a value that holds a comma goes in quotes or brackets: '{key}=\"a,b\"'."
        )
    return [value for part in parts for value in _numbers(part, key)]


def _numbers(part: str, key: str) -> list[str]:
    """The numbers of a range, counted exactly: 0.1 + 0.2 is 0.3."""
    found = _RANGE.fullmatch(part)
    if not found:
        return [part]
    first, last = Fraction(found[1]), Fraction(found[2])
    if not found[3] and (first.denominator, last.denominator) != (1, 1):
        raise UserError(f"{key}={part}: a range of fractions needs its step, as {key}={part}..0.1.")
    step = Fraction(found[3] or 1)
    if step == 0 or (last - first) * step < 0:
        low, high = sorted((first, last))
        size = f"..{plain(abs(step))}" if found[3] and abs(step) != 1 and step else ""
        raise UserError(
            f"{key}={part}: no number lies on this way. {key}={plain(low)}..{plain(high)}{size} counts up, "
            f"{key}={plain(high)}..{plain(low)}..-{size.removeprefix('..') or 1} counts down."
        )
    count = (last - first) // step + 1
    if count > LONGEST_RANGE:
        raise UserError(f"{key}={part}: {count:,} numbers. A range may have {LONGEST_RANGE:,} of them.")
    return [plain(first + step * place) for place in range(count)]


def plain(number: Fraction) -> str:
    """A decimal number as people write it: 0.01 for 0.010, 10 for 1e1."""
    return f"{(Decimal(number.numerator) / number.denominator).normalize():f}"


def pairs(config: str, env_config: str, typed: Sequence[str]) -> list[tuple[str, str]]:
    """Keys and values; a word that is no `key=value` stays whole, to be refused where every such word is."""
    taken_apart = [word.partition("=") for word in typed]
    return [
        (CONFIG, config),
        (ENV_CONFIG, env_config),
        *((key, text) if equals and key else ("", key + equals + text) for key, equals, text in taken_apart),
    ]


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets and quotes.

    A quote opens only where a Python string can begin: the apostrophe in `it's` is a letter.
    """
    awaited: list[str] = []
    quote, before, start = "", ",", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and before in ",([{:":
            quote = letter
        elif letter in _CLOSING:
            awaited.append(_CLOSING[letter])
        elif awaited and letter == awaited[-1]:
            awaited.pop()
        elif letter == "," and not awaited:
            yield text[start:place]
            start = place + 1
        if letter != " ":
            before = letter
    yield text[start:]
