"""Small C files of this program, compiled once with the system's compiler and kept; none is needed."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

_FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
_allowed = True


def allow_native_code(allowed: bool) -> None:
    """Whether this process may use what it compiles; without it everything is done by torch."""
    global _allowed
    _allowed = allowed


def native_library(source: Path, *definitions: str) -> ctypes.CDLL | None:
    """`source` as a library, compiled if need be; None where it is not allowed or cannot be had.

    `definitions` are names that are defined for the compiler. What was compiled is kept in the user's cache
    (`XDG_CACHE_HOME`, else `~/.cache`), one file for each source, compiler and kind of processor.
    """
    return _library(source, definitions) if _allowed else None


@functools.cache
def _library(source: Path, definitions: Sequence[str]) -> ctypes.CDLL | None:
    compiler = _compiler()
    if compiler is None:
        return None
    try:
        return ctypes.CDLL(str(_compiled(source, definitions, compiler)))
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines() or [""]
        warnings.warn(
            f"{compiler} could not make {source.name} ({said[0]}): torch does its work, more slowly. "
            "native_code=False does not try.",
            RuntimeWarning,
            stacklevel=3,
        )
        return None


def _compiler() -> str | None:
    """The C compiler that `CC` names, else the first that is found."""
    named = os.environ.get("CC")
    return next(filter(None, map(shutil.which, [named] if named else ["cc", "gcc", "clang"])), None)


def _compiled(source: Path, definitions: Sequence[str], compiler: str) -> Path:
    """Where the library is, made by this process if nobody has before."""
    text = source.read_bytes()
    program = Path(compiler).resolve()
    facts = [str(program), str(program.stat().st_mtime_ns), _processor(), *_FLAGS, *definitions]
    name = f"{source.stem}-{hashlib.sha256(text + chr(0).join(facts).encode()).hexdigest()[:24]}.so"
    folder = _cache_folder()
    if folder is not None and (folder / name).is_file():
        return folder / name
    folder = Path(tempfile.mkdtemp(prefix="cohort-")) if folder is None else folder
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / name
        words = [
            compiler,
            *_FLAGS,
            *(f"-D{each}" for each in definitions),
            "-o",
            str(made),
            str(source),
            "-lm",
        ]
        environment = {"PATH": os.defpath, **os.environ}  # without one the compiler does not find its linker
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=120, env=environment)
        made.replace(folder / name)  # whole or not at all: others may be at it, too
    return folder / name


def _cache_folder() -> Path | None:
    """A folder of the user's own that others cannot write to; None where there is none."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cohort"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o022
    except (OSError, RuntimeError, AttributeError):  # no home, not writable, no POSIX
        return None
    return folder if mine and os.access(folder, os.W_OK) else None


def _processor() -> str:
    """What `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    kinds = ("flags", "Features", "model name", "cpu family", "model\t")
    return "\n".join([platform.machine(), *sorted({line for line in lines if line.startswith(kinds)})])
