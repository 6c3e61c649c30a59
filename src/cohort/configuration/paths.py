"""Paths as they are typed."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _as_path(text: str) -> str:
    """`~` means the user's home, as in a shell."""
    if "\0" in text:
        raise ValueError("must be a path, which has no zero bytes")
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError as error:
        raise ValueError(f"names a home that is not there: {error}") from error


PathText = Annotated[str, AfterValidator(_as_path)]
