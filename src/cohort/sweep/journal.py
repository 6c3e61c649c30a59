"""What became of each run of a sweep: one line per change, so that no kill loses more than the last of them."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from cohort.errors import UserError

State = Literal["waiting", "running", "completed", "failed", "interrupted"]


@dataclass(frozen=True)
class Entry:
    """Where one run stands.

    Attributes:
        state: of the run.
        folder: its folder, relative to the folder that holds the sweep's; None before it has one.
        reason: why it failed or was interrupted.
    """

    state: State = "waiting"
    folder: str | None = None
    reason: str = ""


TrialState = Literal["completed", "diverged", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a trial whose runs have all ended.

    Attributes:
        state: of the trial.
        value: what it is worth, the mean of `values`; None where it is not completed.
        values: one of each run.
        reason: why it is not completed.
        measure: what the value is, as "test return".
    """

    state: TrialState
    value: float | None = None
    values: tuple[float, ...] = ()
    reason: str = ""
    measure: str = ""


@dataclass(frozen=True)
class Trial:
    """A search's trial: the values that were proposed, as typed, by key; no outcome while its runs are not over."""

    values: dict[str, str]
    outcome: Outcome | None = None


class Journal:
    """Appends to `runs.jsonl` and remembers the last line of each run. Use as a context manager.

    A search's journal grows: a line for each trial that is proposed, before the lines of its runs, and one for what it
    was worth.
    """

    def __init__(self, path: Path, runs: int, runs_per_trial: int = 0) -> None:
        """Open the journal of a sweep of `runs` runs for this process alone, cutting a torn last line.

        Args:
            path: its file.
            runs: of a sweep; 0 of a search, whose journal says itself which there are.
            runs_per_trial: of a search.

        Raises:
            UserError: another process runs this sweep, or a line is no entry.
        """
        self._file = open(path, "a+b")  # noqa: SIM115
        try:
            self._refuse_second_writer(path)
            self._runs_per_trial = runs_per_trial
            self.entries = [Entry()] * runs
            self.trials: list[Trial] = []
            self._read(path)
        except BaseException:
            self._file.close()
            raise

    def note(self, number: int, entry: Entry, **more: Any) -> None:
        """Write down where run `number` (from 0; 1 in the file) stands; `more` is for people who read the file."""
        if entry == self.entries[number] and not more:
            return
        self._append({"run": number + 1, **asdict(entry), **more})
        self.entries[number] = entry

    def propose(self, values: dict[str, str]) -> None:
        """Write down a new trial; its runs are the next ones."""
        self._append({"trial": len(self.trials) + 1, "values": values})
        self._add_trial(values)

    def conclude(self, trial: int, outcome: Outcome) -> None:
        """Write down what became of trial `trial` (from 0; 1 in the file)."""
        self._append({"trial": trial + 1, **asdict(outcome)})
        self.trials[trial] = replace(self.trials[trial], outcome=outcome)

    def reopen(self, trial: int) -> None:
        """A run of this trial is to be carried out again."""
        self.trials[trial] = replace(self.trials[trial], outcome=None)

    def runs_of(self, trial: int) -> range:
        """The numbers of a trial's runs."""
        return range(trial * self._runs_per_trial, (trial + 1) * self._runs_per_trial)

    def _append(self, line: dict[str, Any]) -> None:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self._file.write(json.dumps({**line, "time": now}).encode() + b"\n")
        self._file.flush()

    def _add_trial(self, values: dict[str, str]) -> None:
        self.trials.append(Trial(values))
        self.entries += [Entry()] * self._runs_per_trial

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _refuse_second_writer(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path.parent} is still going: another process runs this sweep.") from None
        except OSError:
            pass  # a network file system without locks: nothing to ask, and no reason not to go on

    def _read(self, path: Path) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # the line that a kill cut off: its change will be found out again
            self._file.truncate(whole)
        for place, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                self._recall(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"Line {place} of {path} is no entry of a sweep's journal: {error!r}"
                ) from error

    def _recall(self, fields: dict[str, Any]) -> None:
        """Learn what one line says."""
        if "values" in fields and "state" not in fields:
            if fields["trial"] != len(self.trials) + 1 or not self._runs_per_trial:
                raise ValueError("not the next trial")
            self._add_trial({str(key): str(text) for key, text in fields["values"].items()})
            return
        of_trial = "trial" in fields
        number = fields["trial" if of_trial else "run"] - 1
        known, states = (self.trials, TrialState) if of_trial else (self.entries, State)
        if not 0 <= number < len(known) or fields["state"] not in states.__args__:
            raise ValueError("no such run or state")
        if of_trial:
            told = {name: fields[name] for name in ("state", "value", "reason", "measure")}
            outcome = Outcome(**told, values=tuple(fields["values"]))
            self.trials[number] = replace(self.trials[number], outcome=outcome)
        else:
            self.entries[number] = Entry(fields["state"], fields["folder"], fields["reason"])
