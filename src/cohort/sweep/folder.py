"""A sweep's own folder: what was typed, the runs it means, and what becomes of them.

The runs themselves are ordinary run folders beside it.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cohort.errors import UserError
from cohort.recording.files import write_text_atomically

SWEEP_FILE = "sweep.yaml"


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep, as far as it is known before it starts.

    Attributes:
        words: what follows `run.py`.
        method, map_name, seed: what its plan says.
        t_max: environment steps.
        threads: CPU threads.
        cuda: whether it wants a GPU.
        varied: the other keys that the sweep varies -> this run's value.
    """

    words: tuple[str, ...]
    method: str
    map_name: str
    seed: int
    t_max: int
    threads: int
    cuda: bool
    varied: dict[str, str] = field(default_factory=dict)

    @property
    def group(self) -> tuple[str, ...]:
        """What runs that differ in their seed alone have in common."""
        return (self.method, self.map_name, *self.varied.values())

    @property
    def title(self) -> str:
        """The run in a few words."""
        varied = [f"{key}={value}" for key, value in self.varied.items()]
        return " ".join([self.method, self.map_name, *varied, f"seed {self.seed}"])


@dataclass(frozen=True)
class SearchDescription:
    """What a search was told; its trials are in the journal.

    Attributes:
        sampler: who proposes.
        trials: how many.
        objective: a field of a run, as `run.py ls` names them; None for the metric that a run is judged by.
        minimise: whether small values are good.
        config, env_config, typed: the words, with ranges and choices.
        alike: algorithm's word -> a run of it, of which trials differ in their words, seed and values.
    """

    sampler: str
    trials: int
    objective: str | None
    minimise: bool
    config: str
    env_config: str
    typed: tuple[str, ...]
    alike: dict[str, SweepRun]


@dataclass(frozen=True)
class SweepFolder:
    """The paths of one sweep's record."""

    root: Path

    @property
    def description(self) -> Path:
        """What was typed, the runs, versions and machine."""
        return self.root / SWEEP_FILE

    @property
    def journal(self) -> Path:
        """What became of each run, one line per change."""
        return self.root / "runs.jsonl"

    @property
    def console(self) -> Path:
        """What the sweep printed."""
        return self.root / "console.log"

    @property
    def summary(self) -> Path:
        """The table of all runs at the end of the last session."""
        return self.root / "summary.txt"

    @property
    def stop(self) -> Path:
        """While this file is there, runs on other machines save and end."""
        return self.root / "stop"

    def output(self, number: int) -> Path:
        """What run `number` (from 0; people count from 1) printed, over all its sessions."""
        return self.root / "output" / f"{number + 1:03}.log"

    @property
    def superseded(self) -> Path:
        """Beginnings of runs that were killed before their first checkpoint; hidden, so that no list counts them."""
        return self.root / ".superseded"


@dataclass(frozen=True)
class Description:
    """What `sweep.yaml` says.

    Attributes:
        command: what was typed.
        directory: where it was typed: paths in the words count from there.
        provenance: code, versions, machine.
        runs: the runs, in order; of a search those that its journal has.
        search: what a search was told; None of another sweep.
    """

    command: str
    directory: str
    provenance: dict[str, Any]
    runs: tuple[SweepRun, ...]
    search: SearchDescription | None = None


def write_description(folder: SweepFolder, description: Description) -> None:
    content = json.loads(json.dumps(asdict(description)))  # YAML has no tuples
    if description.search is None:
        del content["search"]
    else:
        content["runs"] = []
    write_text_atomically(folder.description, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_description(folder: SweepFolder) -> Description:
    """Raises `UserError` when the file is damaged."""
    try:
        content = yaml.safe_load(folder.description.read_text(encoding="utf-8"))
        runs = tuple(_run_from(run) for run in content.pop("runs"))
        search = content.pop("search", None)
        return Description(**content, runs=runs, search=_search_from(search) if search else None)
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder.description} is no description of a sweep: {str(error).splitlines()[0]}"
        ) from error


def _run_from(content: dict[str, Any]) -> SweepRun:
    return SweepRun(**{**content, "words": tuple(content["words"])})


def _search_from(content: dict[str, Any]) -> SearchDescription:
    alike = {config: _run_from(run) for config, run in content["alike"].items()}
    return SearchDescription(**{**content, "typed": tuple(content["typed"]), "alike": alike})


def is_sweep(path: Path) -> bool:
    """Whether a sweep's folder lies here."""
    return (path / SWEEP_FILE).is_file()


def announced_run(output: Path, directory: Path, offset: int = 0) -> Path | None:
    """The run folder that a run last named in what it printed after `offset` bytes; None if none is there."""
    try:
        with open(output, "rb") as file:
            file.seek(offset)
            text = file.read().decode(errors="surrogateescape")
    except FileNotFoundError:
        return None
    named = [line.removeprefix("run: ") for line in text.splitlines() if line.startswith("run: ")]
    folders = [Path(os.path.abspath(directory / name)) for name in named]
    return next((path for path in reversed(folders) if path.is_dir()), None)
