"""HTML from text: whatever is not `Markup` already is escaped, so that no text of a run becomes a part of the page."""

import html
import re
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]\d+)?[kMG%]?( \[.*\])?")  # with its interval


class Markup(str):
    """Text that is HTML already."""


VOID = ("img", "input", "meta")  # elements that have no content and no end


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """`<name ...>content</name>`. `class_` is the attribute class, `aria_label` aria-label."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{named}>" if name in VOID else f"<{name}{named}>{joined(content)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """All parts in a row."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part) for part in parts))


def bullets(lines: Sequence[str]) -> Markup:
    """A list; nothing where there are no lines."""
    return element("ul", *(element("li", line) for line in lines)) if lines else Markup()


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], name: str = "") -> Markup:
    """A table whose first column stays in sight where the page is too narrow; columns of numbers are to the right."""
    numeric = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(headings))]
    head = element("tr", *(_cell("th", text, right) for text, right in zip(headings, numeric, strict=True)))
    body = [
        element("tr", *(_cell("td", text, right) for text, right in zip(row, numeric, strict=True)))
        for row in rows
    ]
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_=f"table {name}".strip(), tabindex="0")


def _cell(name: str, text: str, right: bool) -> Markup:
    return element(name, text, class_="number") if right else element(name, text)


def _is_number(cell: str) -> bool:
    return not cell or NUMBER.fullmatch(cell) is not None
