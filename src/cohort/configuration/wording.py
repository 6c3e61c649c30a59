"""How values stand in messages."""

from typing import Any


def brief(value: Any) -> str:
    """A value as one would type it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
