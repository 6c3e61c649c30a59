"""Writing a file so that a kill at any moment leaves the old content or the new, never half of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_atomically(
    path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True, keep_previous: bool = False
) -> None:
    """Let `write` fill a temporary file next to `path`, and put it in `path`'s place.

    Temporary files that an earlier kill left behind are removed: a run's folder has one writer. `durable`
    pushes the file to the disk first, so that a power cut does no harm either; that takes a disk's time.
    `keep_previous` leaves the replaced file at `previous_of(path)`.
    """
    remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if keep_previous and path.is_file():
            _keep(path)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def previous_of(path: Path) -> Path:
    """Where the file is that `path` replaced: `checkpoint.previous.pt` beside `checkpoint.pt`."""
    return path.with_suffix(f".previous{path.suffix}")


def _keep(path: Path) -> None:
    """Give the file at `path` its second name, so that one is whole at any moment."""
    previous = previous_of(path)
    link = path.with_name(f".{previous.name}.{os.getpid()}.tmp")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        os.replace(link, previous)
    except OSError:  # a file system without links: for a moment the file has its second name alone
        os.replace(path, previous)


def write_text_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace `path` by `text` as a whole."""
    replace_atomically(path, lambda file: file.write(text.encode()), durable=durable)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of `path` left next to it."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def remove_all_leftovers(folder: Path) -> None:
    """Remove what killed writers left anywhere in `folder`, which nobody else writes to now."""
    for leftover in folder.rglob(".*.tmp"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse to sync a folder; the file's content is on disk already
    finally:
        os.close(descriptor)
