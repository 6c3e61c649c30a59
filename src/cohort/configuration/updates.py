"""What is typed after the word `with`: `key=value` words in Sacred's syntax, nested keys with dots."""

import ast
import json
from collections.abc import Sequence
from typing import Any

from cohort.errors import UserError

ENV_ARGS = "env_args"
# the keys with keys below them, and what a word with one of those looks like
NESTED = {ENV_ARGS: f"{ENV_ARGS}.map_name=3m", "teams": "teams.prey=agent_0"}


def parse_updates(words: Sequence[str]) -> dict[str, Any]:
    """The nested configuration that the words mean; a value is a Python literal, or else text.

    Raises:
        UserError: a word has no key or no value, its value has no place in a configuration, or two words contradict
            each other.
    """
    updates: dict[str, Any] = {}
    for word in words:
        key, value = _pair(word)
        *above, last = key.split(".")
        place = updates
        for name in above:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise UserError(f"{' '.join(words)!r}: the same key has one value and nested keys as well.")
        place[last] = _value(value, word)
    return updates


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        hint = f" To give {word} a value: {word}=<value>." if word.isidentifier() else ""
        raise UserError(f"after the word with, {word!r} is not of the form key=value.{hint}")
    if "." in key and key.split(".")[0] not in NESTED:
        raise UserError(
            f"{word!r}: nested keys exist only under {' and '.join(NESTED)}, as {NESTED[ENV_ARGS]}."
        )
    return key.strip(), value.strip()


def _value(text: str, word: str) -> Any:
    """A literal as JSON has it, so that a tuple is a list and every key text, or the text itself."""
    try:
        return json.loads(json.dumps(ast.literal_eval(text)))
    except (ValueError, SyntaxError):
        return text
    except TypeError as error:
        raise UserError(
            f"{word!r}: only numbers, strings, lists, dictionaries, True, False and None."
        ) from error
