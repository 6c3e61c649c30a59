"""Shows a sweep while it runs: a table that is redrawn on a terminal, one line per change elsewhere."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cohort.analysis.tables import columns_of, fitting, rich_table
from cohort.analysis.widths import GAP, HEADING, broken, column_widths
from cohort.recording.console import Console
from cohort.sweep import view
from cohort.sweep.folder import SweepRun
from cohort.sweep.journal import Entry

REFRESH_SECONDS = 1.0
_NOTES = 16  # letters of the notes that are worth a column
# which states are shown first where the terminal has too few lines
_URGENCY = ("running", "failed", "interrupted", "waiting", "completed")


class Display:
    """Shows the runs of one sweep."""

    def __init__(self, console: Console, runs: Sequence[SweepRun], total: int | None = None) -> None:
        """Show on `console`; nothing is drawn before `refresh`. `total`: how many runs there will be."""
        self._console, self._runs = console, list(runs)
        self._total = len(runs) if total is None else total
        self._live: Live | None = None
        self._drawn = float("-inf")

    @property
    def due(self) -> bool:
        """Whether it is time to draw the table again."""
        return self._console.terminal is not None and time.monotonic() - self._drawn >= REFRESH_SECONDS

    def add(self, run: SweepRun) -> None:
        """One more run is known."""
        self._runs.append(run)

    def changed(self, number: int, entry: Entry, reading: view.Reading) -> None:
        """Report that a run's state has changed."""
        notes = f": {entry.reason}" if entry.reason else ""
        result = f"  {reading.headline[0]} {reading.headline[1]:.3f}" if reading.headline else ""
        line = f"run {number + 1} of {self._total}  {self._runs[number].title}  {entry.state}{result}{notes}"
        if self._console.terminal is None:
            self._console.print(line)
        else:
            self._console.log_only(line)
        self._drawn = float("-inf")

    def refresh(self, entries: Sequence[Entry], readings: Sequence[view.Reading]) -> None:
        """Draw the table again. A terminal that is gone ends the drawing, not the sweep."""
        self._drawn = time.monotonic()
        terminal = self._console.terminal
        if terminal is None:
            return
        to_come = self._total - len(self._runs)
        left = view.time_left(view.seconds_left(self._runs, entries, readings, to_come))
        picture = Group(
            self._table(entries, readings, terminal.height - 5, terminal.width),
            Text(f"{view.counts(entries)}; {left}"),
        )
        try:
            if self._live is None:
                self._live = Live(
                    picture, console=terminal, auto_refresh=False, transient=True,
                    redirect_stdout=self._console.stream is sys.stdout, redirect_stderr=sys.stderr.isatty(),
                )  # fmt: skip
                self._live.start()
            self._live.update(picture, refresh=True)
        except (OSError, ValueError):
            self._live = None
            self._console.disconnect()

    def close(self) -> None:
        """Remove the table."""
        if self._live is not None:
            with suppress(OSError, ValueError):
                self._live.stop()
            self._live = None

    def _table(
        self, entries: Sequence[Entry], readings: Sequence[view.Reading], room: int, width: int
    ) -> Table:
        headings = view.headings(self._runs)
        room -= max(len(broken(heading, HEADING)) for heading in headings) - 1  # lines of headings, at most
        by_urgency = sorted(range(len(entries)), key=lambda number: _URGENCY.index(entries[number].state))
        rows = [
            view.row(number, self._runs[number], entries[number], readings[number])
            for number in sorted(by_urgency[: max(1, room)])
        ]
        narrow = [_cut_notes(headings, row) for row in rows]
        kept = fitting(headings, narrow, width, view.SECONDARY)
        headings, rows = columns_of(kept, headings, rows)
        table = rich_table(headings, rows, overflow="ellipsis", widths=_widths(headings, rows, width))
        if len(entries) > max(1, room):
            table.caption = f"and {len(entries) - max(1, room)} more"
        return table


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """All columns are whole but the notes, which have what is left."""
    widths = column_widths(headings, [_cut_notes(headings, row) for row in rows], room, whole=headings)
    if "notes" in headings:
        place = headings.index("notes")
        spare = room - sum(widths) - GAP * (len(widths) - 1)
        widths[place] = min(widths[place] + spare, max(len(row[place]) for row in rows))
    return widths


def _cut_notes(headings: Sequence[str], row: Sequence[str]) -> list[str]:
    """A row whose notes are as long as they have to be to say something: the terminal cuts the rest."""
    return [
        cell[:_NOTES] if heading == "notes" else cell for heading, cell in zip(headings, row, strict=True)
    ]
