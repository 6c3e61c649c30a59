"""Saving and loading states: a kill leaves the old file or the new one, and loading runs no code."""

import pickle
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from cohort.errors import UserError
from cohort.recording.files import previous_of, replace_atomically
from cohort.recording.storage import NO_ROOM

FORMAT = "cohort"
VERSION = 3  # since 3 the value learners' optimisers hold a few long tensors
_LEAVES = (bool, int, float, str, type(None), torch.dtype, torch.device, torch.Size)


def save_atomically(
    state: dict[str, Any], path: Path, *, kind: str = "checkpoint", keep_previous: bool = False
) -> None:
    """Replace the file at `path` by `state`; with `keep_previous` the old one is kept beside it.

    A state is nested dicts, lists and tuples of tensors, numbers, strings and None; generators go in as
    `generator.get_state()`. Raises TypeError naming the entry when something else is in `state`: better now
    than when the checkpoint is needed. Raises OSError where the disk does not take it.
    """
    _refuse_strangers(state, "state")
    content = {"format": FORMAT, "kind": kind, "version": VERSION, "state": state}
    try:
        replace_atomically(path, lambda file: _save(content, file), keep_previous=keep_previous)
    except OSError as error:
        previous = previous_of(path)
        if not keep_previous or error.errno not in NO_ROOM or not previous.is_file():
            raise
        previous.unlink()  # makes room for the new one, the present one being whole
        replace_atomically(path, lambda file: _save(content, file))


def stored_bytes(state: Any) -> int:
    """About how much room a state takes on the disk."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(stored_bytes(inner) for inner in state.values())
    return sum(stored_bytes(inner) for inner in state) if isinstance(state, (list, tuple)) else 0


class _Witness:
    """A file that remembers why it took no more: torch itself only says that its position is wrong."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _save(content: Any, file: BinaryIO) -> None:
    witness = _Witness(file)
    try:
        torch.save(content, witness)
    except Exception:
        if witness.error is None:
            raise
        raise witness.error from None


def load_checkpoint(
    path: Path, *, kind: str = "checkpoint", map_location: str | torch.device = "cpu"
) -> dict[str, Any]:
    """The state that was saved at `path`.

    Tensors arrive on the CPU unless told otherwise: generators' states must stay there, and `load_state_dict`
    moves the others to where they belong.

    Raises:
        UserError: there is no such file, it is torn, a bit of it has changed, or it is something else.
    """
    if not path.is_file():
        there = sorted(child.name for child in path.parent.iterdir()) if path.parent.is_dir() else []
        listing = f" In {path.parent}: {', '.join(there[:20]) or 'nothing'}." if path.parent.is_dir() else ""
        raise UserError(f"There is no {kind} at {path}.{listing}")
    if zipfile.is_zipfile(path):
        _refuse_rot(path, kind)
    return _state_of(_read(path, kind, map_location), path, kind)


def _refuse_rot(path: Path, kind: str) -> None:
    """torch reads a file without asking for its checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, zlib.error) as error:
        raise UserError(f"The {kind} at {path} is damaged: {str(error)[:200]}.") from error
    if damaged is not None:
        raise UserError(
            f"The {kind} at {path} is damaged: {damaged} in it has not the checksum it was written with."
        )


def _read(path: Path, kind: str, map_location: str | torch.device) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about foreign formats before it refuses them
            return torch.load(path, weights_only=True, map_location=map_location)
    except (MemoryError, KeyboardInterrupt):
        raise
    except pickle.UnpicklingError as error:
        reason = "it holds more than plain data, so this program did not write it"
        raise UserError(f"The {kind} at {path} cannot be loaded: {reason}.") from error
    except Exception as error:
        size = path.stat().st_size
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"The {kind} at {path} ({size:,} bytes) cannot be read: it is damaged or no {kind} at all.\n"
            f"torch says: {reason}"
        ) from error


def _state_of(content: Any, path: Path, kind: str) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is a file of torch, but not one that this program saved.")
    if content.get("kind") != kind:
        raise UserError(f"{path} holds a {content.get('kind')}, and a {kind} is needed here.")
    if content.get("version") != VERSION:
        raise UserError(
            f"{path} was saved in version {content.get('version')} of the {kind} format, and this program reads "
            f"version {VERSION}: go on with the program that saved it (provenance.json has its commit), or train anew."
        )
    return content["state"]


def _refuse_strangers(value: Any, where: str) -> None:
    """`type` and not `isinstance`: numpy's float64 is a float, but loading it would need numpy's code."""
    if isinstance(value, Tensor) or type(value) in _LEAVES:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if type(key) not in (str, int, float, bool, type(None)):
                raise TypeError(f"{where} has the key {key!r} of type {type(key).__name__}")
            _refuse_strangers(inner, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, inner in enumerate(value):
            _refuse_strangers(inner, f"{where}[{index}]")
    else:
        raise TypeError(f"{where} is a {type(value).__module__}.{type(value).__name__}: it cannot be saved")
