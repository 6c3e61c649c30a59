"""Where everything of one run lies."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cohort.errors import UserError
from cohort.recording.files import previous_of

BEST_FILE = "best.pt"
RESULTS = Path("results")  # where runs lie unless they are told otherwise


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run's record. Only `root` is sure to exist."""

    root: Path

    @property
    def name(self) -> str:
        """The run's name, which links its Sacred records and its lines in a table of runs."""
        return self.root.name

    @property
    def config(self) -> Path:
        """The full configuration, as it was run."""
        return self.root / "config.yaml"

    @property
    def command(self) -> Path:
        """What was typed, one line per session."""
        return self.root / "command.txt"

    @property
    def provenance(self) -> Path:
        """Commit, versions and machine of every session."""
        return self.root / "provenance.json"

    @property
    def metrics(self) -> Path:
        """Every logged value: the truth."""
        return self.root / "metrics.jsonl"

    @property
    def console(self) -> Path:
        """Everything that was printed."""
        return self.root / "console.log"

    @property
    def checkpoint(self) -> Path:
        """The whole state of the run, for resuming."""
        return self.root / "checkpoint.pt"

    @property
    def previous_checkpoint(self) -> Path:
        """The checkpoint before it, should it rot."""
        return previous_of(self.checkpoint)

    @property
    def models(self) -> Path:
        """Networks alone, one folder per saved step, as in PyMARL."""
        return self.root / "models"

    @property
    def best(self) -> Path:
        """The model that `save_best` keeps."""
        return self.root / BEST_FILE

    @property
    def transfer(self) -> Path:
        """What was taken over from another run, and what was not."""
        return self.root / "transfer.json"

    @property
    def policies(self) -> Path:
        """Policies that were exported."""
        return self.root / "policies"

    @property
    def replays(self) -> Path:
        """Videos and replay files of evaluations."""
        return self.root / "replays"

    @property
    def sacred(self) -> Path:
        """Sacred's file observer, one numbered folder per session."""
        return self.root / "sacred"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files."""
        return self.root / "tb"

    @property
    def wandb(self) -> Path:
        """Weights & Biases' files."""
        return self.root / "wandb"

    @property
    def curve(self) -> Path:
        """The learning curve."""
        return self.root / "curve.png"

    @property
    def status(self) -> Path:
        """What the run is doing, for people and programs that look from outside."""
        return self.root / "status.json"


def create_run_folder(results: Path, name: str) -> RunFolder:
    """Make `<results>/<name>__<date>_<time>`, with `_2`, `_3`, ... when that second is taken.

    Raises:
        UserError: `results` is a file, lies below one, or cannot be written. Nothing is left behind then.
    """
    stem = f"{_safe_name(name)}__{datetime.now():%Y-%m-%d_%H-%M-%S}"
    made: list[Path] = []
    try:
        _refuse_unwritable(results)
        for parent in reversed([results, *results.parents]):
            if not parent.exists():
                parent.mkdir(exist_ok=True)
                made.append(parent)
        return RunFolder(_make_unique(results, stem))
    except OSError as error:
        for parent in reversed(made):
            with suppress(OSError):  # another run may be in it by now
                parent.rmdir()
        raise _unwritable(results, error.strerror or str(error)) from error


def names_like(name: str, names: Iterable[str]) -> list[str]:
    """Which of `names` a person means by `name`: it itself, or else one of its parts, or else any piece of it.

    The parts of `qmix__3m__seed1__slow__2026-11-20_18-09-14` are what stands between the double underscores: its label
    `slow` is meant before `slower` is.
    """
    every = list(names)
    return (
        [each for each in every if each == name]
        or [each for each in every if f"__{name}__" in f"__{each}__"]
        or [each for each in every if name in each]
    )


def place_named(name: Path, results: Path = RESULTS) -> Path:
    """The folder that is there, or the one in `results` that a piece of its name is given of.

    Raises:
        UserError: several have it in their names.
    """
    if name.exists() or len(name.parts) != 1 or not results.is_dir():
        return name
    folders = [child.name for child in results.iterdir() if child.is_dir() and child.name[0] != "."]
    found = names_like(str(name), folders)
    if len(found) > 1:
        raise UserError(
            f"{str(name)!r} is a part of {len(found)} names in {results}/. Name one: {', '.join(sorted(found)[:8])}"
            f"{', ...' if len(found) > 8 else ''}"
        )
    return results / found[0] if found else name


def open_run_folder(path: Path) -> RunFolder:
    """The folder of an earlier run.

    Raises:
        UserError: `path` is not a run's folder; the message says what is missing.
    """
    if not path.exists():
        raise UserError(f"There is no run at {path}: the folder does not exist.{_runs_near(path)}")
    if not path.is_dir():
        raise UserError(f"{path} is a file. Name the run's folder: {path.parent}")
    folder = RunFolder(path)
    missing = [part.name for part in (folder.config, folder.metrics) if not part.is_file()]
    if missing:
        raise UserError(
            f"{path} is not a run's folder: it has no {' and no '.join(missing)}.{_runs_near(path / '-')}"
        )
    return folder


def _refuse_unwritable(results: Path) -> None:
    """Look before anything is made, so that a refusal leaves nothing behind."""
    nearest = next(parent for parent in [results, *results.absolute().parents] if parent.exists())
    if not nearest.is_dir():
        raise _unwritable(results, f"{nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _unwritable(results, f"no permission to write in {nearest}")


def _unwritable(results: Path, reason: str) -> UserError:
    return UserError(
        f"Runs cannot be recorded in {results}: {reason}. Choose another folder: local_results_path=<folder>."
    )


def _make_unique(results: Path, stem: str) -> Path:
    """`mkdir` decides who owns a name: two runs that start in the same second get two folders."""
    number = 1
    while True:
        root = results / (stem if number == 1 else f"{stem}_{number}")
        try:
            root.mkdir()
            return root
        except FileExistsError:
            number += 1


def _safe_name(name: str) -> str:
    """`name` as one folder's name on every file system."""
    return re.sub(r"[^\w.+=-]+", "_", name).strip("._")[:100] or "run"


def _runs_near(path: Path) -> str:
    """The run folders beside a path that is none, newest first: what to type instead."""
    runs = [child.parent for child in path.parent.glob("*/config.yaml")] if path.parent.is_dir() else []
    newest = sorted(runs, key=lambda run: run.stat().st_mtime, reverse=True)[:5]
    return " Runs there: " + ", ".join(str(run) for run in newest) if newest else ""
