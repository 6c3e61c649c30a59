"""The small language of `--where`, `--columns`, `--sort` and `--by`: parsed by hand, never by `eval`.

    condition   = both ("or" both)*
    both        = one ("and" one)*
    one         = "not" one | "(" condition ")" | field comparison
    comparison  = ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~") value
                | ["not"] "in" "(" value ("," value)* ")"
    field       = name | function "(" name ["," number] ")"
    value       = a number, a word, "quoted text", True, False, None

`=` on text ignores case, `~` looks for a part of it. A missing field matches only `= None`. `==` is `=`.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cohort.analysis.fields import Field, Value, named_field, summary_field
from cohort.analysis.runs import Run
from cohort.analysis.tokens import Token, Words, marked
from cohort.errors import UserError

_NUMBER = re.compile(r"[-+]?(\d{1,300}(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_ORDERS: dict[str, Callable] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_OPERATORS = ("=", "!=", *_ORDERS, "~", "in", "not in")
_KEYWORDS = ("and", "or", "not", "in")
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "none": None, "null": None}


@dataclass(frozen=True)
class Literal:
    """A value as typed, and what it stands for where it is compared with something other than text."""

    text: str
    value: Value


@dataclass(frozen=True)
class Condition:
    """A condition on runs.

    Attributes:
        holds: whether a run meets it.
        fields: the fields that it names, to be checked with `refuse_unknown` first.
    """

    holds: Callable[[Run], bool]
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Column:
    """A field with its heading, and for sorting its direction."""

    field: Field
    title: str
    descending: bool = False


def parse_condition(text: str) -> Condition:
    """The condition that `text` states.

    Raises:
        UserError: `text` is not a condition; the message marks the place.
    """
    words = Words(text)
    try:
        condition = _condition(words)
    except RecursionError:
        raise UserError("this condition is nested too deeply.") from None
    if words.next_text():
        words.refuse("and, or, or the end")
    return condition


def parse_columns(text: str) -> list[Column]:
    """Fields with commas between them, each followed by `as heading`, `asc` or `desc` if wanted.

    Raises:
        UserError: as for `parse_condition`.
    """
    words, columns = Words(text), []
    while True:
        field, descending, title = _field(words), False, None
        if words.next_text().lower() in ("asc", "desc"):
            descending = words.take().text.lower() == "desc"
        elif words.next_text().lower() == "as":
            words.take()
            title = _heading(words)
        columns.append(Column(field, field.text if title is None else title, descending))
        if not words.next_text():
            return columns
        words.expect(",", "a comma, as <heading>, asc, desc or the end")


def _condition(words: Words) -> Condition:
    parts = [_both(words)]
    while words.takes("or"):
        parts.append(_both(words))
    return parts[0] if len(parts) == 1 else _joined(any, parts)


def _both(words: Words) -> Condition:
    parts = [_one(words)]
    while words.takes("and"):
        parts.append(_one(words))
    return parts[0] if len(parts) == 1 else _joined(all, parts)


def _joined(join: Callable, parts: Sequence[Condition]) -> Condition:
    fields = tuple(field for part in parts for field in part.fields)
    return Condition(lambda run: join(part.holds(run) for part in parts), fields)


def _one(words: Words) -> Condition:
    if words.takes("not"):
        inner = _one(words)
        return Condition(lambda run: not inner.holds(run), inner.fields)
    if words.next_text() == "(":
        words.take()
        inner = _condition(words)
        words.expect(")", "and, or, or a closing parenthesis")
        return inner
    field = _field(words)
    start = words.peek().start
    compare = _comparison(words, field)

    def holds(run: Run) -> bool:
        try:
            return compare(field.ask(run))
        except TypeError as error:
            raise UserError(marked(words.text, start, f"{error} (run {run.name}).")) from None

    return Condition(holds, (field,))


def _field(words: Words) -> Field:
    token = words.peek()
    if token.kind != "word" or token.text.lower() in _KEYWORDS:
        words.refuse("a field, as status, config.lr or metrics.test_return_mean")
    words.take()
    try:
        if words.next_text() != "(":
            return named_field(token.text)
        words.take()
        metric = named_field(words.take().text)
        number = None
        if words.next_text() == ",":
            words.take()
            typed = words.take()
            number = _literal(typed).value
            if not _is_number(number):
                raise UserError(f"{token.text} needs a number, not {typed.text!r}.")
        words.expect(")", "a closing parenthesis")
        text = f"{token.text}({metric.text}{'' if number is None else f', {number:g}'})"
        return summary_field(token.text.lower(), metric, number, text)
    except UserError as error:
        if "^" in str(error):
            raise
        raise UserError(marked(words.text, token.start, str(error))) from None


def _comparison(words: Words, field: Field) -> Callable[[Value], bool]:
    if words.takes("in"):
        return _membership(words)
    if words.peek(1).text.lower() == "in" and words.takes("not"):
        words.take()
        inside = _membership(words)
        return lambda value: value is not None and not inside(value)
    token = words.peek()
    if token.kind != "operator":
        words.refuse(f"a comparison of {field.text} ({' '.join(_OPERATORS)})")
    words.take()
    if words.peek().kind not in ("word", "quoted") or words.peek().text.lower() in _KEYWORDS:
        words.refuse("a value; put quotes around more than one word")
    literal = _literal(words.take())
    if token.text in ("=", "=="):
        return lambda value: _equal(value, literal)
    if token.text == "!=":
        if literal.value is None:
            return lambda value: value is not None
        return lambda value: value is not None and not _equal(value, literal)
    if token.text == "~":
        return lambda value: value is not None and literal.text.lower() in _shown(value).lower()
    return lambda value: _ordered(token.text, value, literal)


def _membership(words: Words) -> Callable[[Value], bool]:
    opening = words.next_text()
    if opening not in ("(", "["):
        words.refuse("a list, as in (qmix, vdn)")
    words.take()
    literals = [_literal(words.take())]
    while words.next_text() == ",":
        words.take()
        literals.append(_literal(words.take()))
    words.expect(")" if opening == "(" else "]", "a comma or the list's end")
    return lambda value: any(_equal(value, literal) for literal in literals)


def _heading(words: Words) -> str:
    parts = []
    while words.peek().kind in ("word", "quoted"):
        parts.append(words.take().text.strip("\"'"))
    return " ".join(parts)


def _literal(token: Token) -> Literal:
    if token.kind == "quoted":
        return Literal(token.text[1:-1], token.text[1:-1])
    text = token.text
    if text.lower() in _CONSTANTS:
        return Literal(text, _CONSTANTS[text.lower()])
    if _NUMBER.fullmatch(text):
        return Literal(text, int(text) if text.lstrip("+-").isdigit() else float(text))
    return Literal(text, text)


def _equal(value: Value, literal: Literal) -> bool:
    if isinstance(value, str | list):
        return str(value).lower() == literal.text.lower()
    if isinstance(value, bool) or isinstance(literal.value, bool):
        return value is literal.value
    return value == literal.value


def _ordered(sign: str, value: Value, literal: Literal) -> bool:
    """Numbers by size, text (as dates) by letters."""
    if value is None:
        return False
    if isinstance(value, str) and isinstance(literal.value, str):
        return _ORDERS[sign](value, literal.value)
    if not (_is_number(value) and _is_number(literal.value)):
        raise TypeError(f"{sign} compares numbers, or text with text: not {value!r} with {literal.text}")
    return _ORDERS[sign](value, literal.value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else repr(value)
