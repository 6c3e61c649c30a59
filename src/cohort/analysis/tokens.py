"""Splits a condition into tokens, and marks a place in it in messages."""

import re
from dataclasses import dataclass

from cohort.errors import UserError

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<operator>==|!=|<=|>=|=|<|>|~)|(?P<mark>[(),\[\]])"""
    r"""|(?P<word>[^\s()\[\],=!<>~"']+))"""
)


def marked(text: str, position: int, message: str) -> str:
    """`message` under `text` with a mark below the place it speaks of."""
    return f"{message}\n  {text}\n  {' ' * position}^"


@dataclass(frozen=True)
class Token:
    text: str
    kind: str  # quoted, operator, mark, word or end
    start: int


class Words:
    """The tokens of one text, read one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self._place = 0
        end = len(text.rstrip())
        position = 0
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                start = position + len(text[position:]) - len(text[position:].lstrip())
                raise UserError(marked(text, start, f"{text[start]!r} has no meaning here."))
            kind = match.lastgroup or ""
            self.tokens.append(Token(match[kind], kind, match.start(kind)))
            position = match.end()
        self.tokens.append(Token("", "end", end))

    def peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self._place + ahead, len(self.tokens) - 1)]

    def next_text(self) -> str:
        """The next token as it stands; quoted text is no keyword or mark."""
        return "" if self.peek().kind == "end" else self.peek().text

    def take(self) -> Token:
        token = self.peek()
        self._place += token.kind != "end"
        return token

    def takes(self, keyword: str) -> bool:
        """Whether the next word is `keyword`; then it is taken."""
        found = self.peek().kind == "word" and self.peek().text.lower() == keyword
        self._place += found
        return found

    def expect(self, mark: str, allowed: str) -> None:
        if self.next_text() != mark:
            self.refuse(allowed)
        self.take()

    def refuse(self, expected: str) -> None:
        token = self.peek()
        found = "it ends here" if token.kind == "end" else f"not {token.text!r}"
        raise UserError(marked(self.text, token.start, f"expected {expected}; {found}."))
