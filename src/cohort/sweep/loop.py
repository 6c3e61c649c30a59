"""The loop of a sweep: start what there is room for, wait, write down what became of it."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Protocol

from cohort.analysis.tables import write_table
from cohort.program import program_name
from cohort.recording.console import Console
from cohort.recording.files import write_text_atomically
from cohort.recording.stop import Stop
from cohort.sweep import view
from cohort.sweep.display import Display
from cohort.sweep.folder import Description, SweepFolder, SweepRun, announced_run
from cohort.sweep.journal import Entry, Journal
from cohort.sweep.processes import Ending, Pool
from cohort.sweep.task import BUSY, Task

POLL_SECONDS = 0.1
LOSSES = 3  # times that a run goes on elsewhere after its machine was lost
LONGEST_TABLE = 40  # rows printed at the end; summary.txt has them all


class Supply(Protocol):
    """Where runs come from that are not known at the beginning: a search's trials."""

    def more(self, has_room: Callable[[SweepRun], bool]) -> Sequence[SweepRun]:
        """The runs of one more trial; none where there is no room for the first of them, or none is left."""

    def settle(self) -> None:
        """See in the journal which trials are over."""


class Sweep:
    """The runs, what is known of each, and the loop that starts them and waits for them."""

    def __init__(
        self,
        folder: SweepFolder,
        description: Description,
        journal: Journal,
        pool: Pool,
        display: Display,
        supply: Supply | None = None,
    ) -> None:
        """Nothing is started before `run`."""
        self._folder, self._runs, self._directory = (
            folder,
            list(description.runs),
            Path(description.directory),
        )
        self._supply = supply
        self._journal, self._pool, self._display = journal, pool, display
        self._results = folder.root.absolute().parent
        self._readings = [view.NOTHING] * len(self._runs)
        self._begun: dict[int, int] = {}  # running: number -> size of the output file before
        self._unnamed: set[int] = set()  # running: those whose folder is not yet known
        self._losses = [0] * len(self._runs)
        self._waiting: list[int] = []

    def take_over(self, retry_failed: bool) -> None:
        """Find out which runs are to be carried out, by what earlier sessions left."""
        for number, entry in enumerate(self._journal.entries):
            if entry.state == "running":  # the session before was killed, perhaps before it knew the folder
                entry = replace(entry, state="interrupted", folder=self._named(number) or entry.folder)
            if entry.state == "failed":
                if not retry_failed:
                    continue
                entry = replace(entry, state="waiting")
            self._journal.note(number, entry)
            if entry.state != "completed":
                self._waiting.append(number)
        self._read(range(len(self._runs)))
        self._settle()

    def run(self, stop: Stop) -> None:
        """Until every run has ended, or until those that are going have after a signal."""
        told = False
        try:
            while self._goes_on(stop):
                if stop.requested and not told:
                    told = True
                    self._pool.stop(signal.Signals[stop.signal_name])
                while not stop.requested and self._waiting and self._has_room():
                    self._start(self._waiting.pop(0))
                    self._refill()
                for ending in self._pool.ended():
                    self._end(ending, stop)
                self._learn_folders()
                if self._display.due:
                    self._read(self._begun)
                    self._display.refresh(self._journal.entries, self._readings)
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:  # the second signal
            self._pool.stop(signal.SIGINT)
            self._pool.close()
            for number in list(self._begun):
                self._end(Ending(number, -signal.SIGKILL, "stopped at once"), stop)
        finally:
            self._display.close()

    def _goes_on(self, stop: Stop) -> bool:
        if not stop.requested:
            self._refill()
        return bool(self._begun) or (bool(self._waiting) and not stop.requested)

    def _refill(self) -> None:
        """Have one more trial proposed when nothing waits: as late as can be, when most is known."""
        if self._supply is None or self._waiting:
            return
        for run in self._supply.more(self._pool.has_room):
            self._waiting.append(len(self._runs))
            self._runs.append(run)
            self._readings.append(view.NOTHING)
            self._losses.append(0)
            self._display.add(run)

    def _settle(self) -> None:
        if self._supply is not None:
            self._supply.settle()

    def _has_room(self) -> bool:
        return self._pool.has_room(self._runs[self._waiting[0]])

    def _start(self, number: int) -> None:
        run, entry, output = self._runs[number], self._journal.entries[number], self._folder.output(number)
        self._begun[number] = output.stat().st_size if output.exists() else 0
        self._unnamed.add(number)
        task = Task(
            words=run.words,
            folder=str(self._results / entry.folder) if entry.folder else None,
            output=str(output.absolute()),
            superseded=str(self._folder.superseded.absolute()),
            program=program_name(),
        )
        self._change(number, Entry("running", entry.folder), **self._pool.start(number, run, task))

    def _learn_folders(self) -> None:
        for number in list(self._unnamed):
            if folder := self._named(number, self._begun[number]):
                self._unnamed.discard(number)
                self._journal.note(number, replace(self._journal.entries[number], folder=folder))

    def _named(self, number: int, offset: int = 0) -> str | None:
        found = announced_run(self._folder.output(number), self._directory, offset)
        return os.path.relpath(found, self._results) if found else None

    def _end(self, ending: Ending, stop: Stop) -> None:
        number = ending.number
        self._learn_folders()
        offset = self._begun.pop(number)
        self._unnamed.discard(number)
        self._read([number])
        folder = self._journal.entries[number].folder
        if ending.code == 0:
            self._change(number, Entry("completed", folder))
        elif ending.interrupted:
            reason = self._last_words(number, offset) if ending.code == BUSY else ending.describe()
            self._change(number, Entry("interrupted", folder, reason))
            if ending.code is None and not stop.requested and self._losses[number] < LOSSES:
                self._losses[number] += 1
                self._waiting.insert(0, number)
        else:
            reason = self._last_words(number, offset) or ending.describe()
            self._change(number, Entry("failed", folder, reason))
        self._settle()

    def _last_words(self, number: int, offset: int) -> str:
        """What a run printed last: the exception, or the first line of the message for its user."""
        output = self._folder.output(number)
        with suppress(OSError), open(output, "rb") as file:
            file.seek(max(offset, output.stat().st_size - 4000))
            lines = [
                line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()
            ]
            errors = [line for line in lines if line.startswith("error: ")]
            return (errors or lines or [""])[-1].removeprefix("error: ")[:200]
        return ""

    def _change(self, number: int, entry: Entry, **more: object) -> None:
        self._journal.note(number, entry, **more)
        self._display.changed(number, entry, self._readings[number])

    def _read(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            folder = self._journal.entries[number].folder
            self._readings[number] = view.read_run(self._results / folder if folder else None)

    def summarise(self, console: Console, trials: str | None = None) -> None:
        """The table of all runs, medians over seeds, and counts: printed, and kept in the sweep's folder.

        Of a search, `trials` stands in the place of the medians, and is all that is printed of the tables.
        """
        entries = self._journal.entries
        self._read(range(len(self._runs)))
        rows = [
            view.row(number, run, entry, reading)
            for number, (run, entry, reading) in enumerate(
                zip(self._runs, entries, self._readings, strict=True)
            )
        ]
        headings = view.headings(self._runs)
        medians = trials or table_text(*view.median_rows(self._runs, entries, self._readings))
        last = f"{'runs: ' if trials else ''}{view.counts(entries)}. {self._folder.root}"
        short = [row for row, entry in zip(rows, entries, strict=True) if entry.state != "completed"]
        printed = rows if len(rows) <= LONGEST_TABLE else short[:LONGEST_TABLE]
        if trials is not None:
            printed = []
        write_text_atomically(self._folder.summary, f"{table_text(headings, rows)}\n{medians}\n{last}\n")
        console.print(f"\n{table_text(headings, printed) if printed else ''}\n{medians}\n{last}")


def table_text(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in lines."""
    text = StringIO()
    write_table(headings, rows, stream=text)
    return text.getvalue()
