"""Files that commands write for their user."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from cohort.errors import UserError
from cohort.recording.files import replace_atomically


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill the file at `path`, which is replaced as a whole; folders on the way are made.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_atomically(path, write, durable=False)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
