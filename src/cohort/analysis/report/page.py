"""The page around the sections: style, script, and a policy that forbids it any network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cohort.analysis.report.markup import Markup, element, joined

# Data and what the page itself makes; a browser refuses all else, whatever text of runs may hold.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data:"
)
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: of its place, for links.
        title: its heading.
        content: all below the heading.
    """

    name: str
    title: str
    content: Markup


def document(title: str, lead: str, sections: Sequence[Section], scripts: Sequence[str]) -> str:
    """The whole page. `scripts` are JavaScript, run in order before the page's own."""
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", _own("page.css")),
    ]
    links = [element("a", each.title, href=f"#{each.name}") for each in sections]
    body = [
        element("header", element("h1", title), element("p", lead), element("nav", *links)),
        element("main", *(_section(each) for each in sections)),
        *(element("script", Markup(script)) for script in [*scripts, _own("page.js")]),
    ]
    page = element("html", element("head", *head), element("body", *body), lang="en")
    return joined([Markup("<!DOCTYPE html>\n"), page, "\n"])


def _section(section: Section) -> Markup:
    return element("section", element("h2", section.title), section.content, id=section.name)


def _own(name: str) -> Markup:
    return Markup((FOLDER / name).read_text(encoding="utf-8"))
