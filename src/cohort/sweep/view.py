"""What a sweep shows of its runs: a row for each, medians over seeds, and the time left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cohort.analysis.folders import FolderRun
from cohort.analysis.ls import spread
from cohort.analysis.tables import duration, shown
from cohort.errors import UserError
from cohort.recording.headline import headline
from cohort.sweep.folder import SweepRun
from cohort.sweep.journal import Entry


@dataclass(frozen=True)
class Reading:
    """What a run's folder says.

    Attributes:
        t_env: environment steps so far.
        wall_seconds: seconds of running so far.
        headline: label and last value of its main metric; None before there is one.
    """

    t_env: int = 0
    wall_seconds: float = 0.0
    headline: tuple[str, float] | None = None

    @property
    def speed(self) -> float | None:
        """Environment steps per second, over all sessions, evaluations included."""
        return self.t_env / self.wall_seconds if self.wall_seconds > 0 and self.t_env > 0 else None


NOTHING = Reading()


def read_run(folder: Path | None) -> Reading:
    """What a run's folder says now; `NOTHING` where it cannot be read yet. Reads two small pieces of files."""
    if folder is None:
        return NOTHING
    run = FolderRun(folder)
    try:
        return Reading(run.status.t_env, run.status.wall_seconds, headline(run.recent_metrics))
    except (UserError, OSError, ValueError, TypeError):
        return NOTHING


# left out where there is no room, the first first; what is varied, the seed and the state stay
SECONDARY = ("steps/s", "map", "notes", "method", "steps", "result")


def headings(runs: Sequence[SweepRun]) -> list[str]:
    return ["run", "method", "map", *_varied(runs), "seed", "state", "steps", "result", "steps/s", "notes"]


def _varied(runs: Sequence[SweepRun]) -> list[str]:
    return list(runs[0].varied) if runs else []


def row(number: int, run: SweepRun, entry: Entry, reading: Reading) -> list[str]:
    """One run under `headings`."""
    steps = f"{shown(reading.t_env, 'steps')} of {shown(run.t_max, 'steps')}" if reading.t_env else ""
    result = f"{reading.headline[1]:.3f}" if reading.headline else ""
    speed = f"{reading.speed:,.0f}" if reading.speed else ""
    notes = entry.reason or Path(entry.folder or "").name
    varied = run.varied.values()
    return [
        *(str(number + 1), run.method, run.map_name, *varied, str(run.seed), entry.state.upper()),
        *(steps, result, speed, notes),
    ]


def median_rows(
    runs: Sequence[SweepRun], entries: Sequence[Entry], readings: Sequence[Reading]
) -> tuple[list[str], list[list[str]]]:
    """Headings and rows: the median and range of the last results of completed runs, by all but the seed."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, run in enumerate(runs):
        groups.setdefault(run.group, []).append(number)
    rows = []
    for group, numbers in groups.items():
        done = [number for number in numbers if entries[number].state == "completed"]
        found = [readings[number].headline for number in done if readings[number].headline]
        label = found[0][0] if found else ""
        values = [value for name, value in found if name == label]
        rows.append([*group, f"{len(done)} of {len(numbers)}", label, spread(values, "plain")])
    return ["method", "map", *_varied(runs), "seeds", "metric", "median (range)"], rows


def counts(entries: Sequence[Entry]) -> str:
    """As "9 completed, 1 failed, 2 waiting"."""
    states = [entry.state for entry in entries]
    order = ("completed", "running", "interrupted", "failed", "waiting")
    return ", ".join(f"{states.count(state)} {state}" for state in order if state in states)


def seconds_left(
    runs: Sequence[SweepRun],
    entries: Sequence[Entry],
    readings: Mapping[int, Reading] | Sequence[Reading],
    to_come: int = 0,
) -> float | None:
    """Steps still to be made, divided by the speed of the running runs; None before there is one.

    `to_come`: runs that are not yet known.
    """
    going = [
        readings[number].speed or 0.0 for number, entry in enumerate(entries) if entry.state == "running"
    ]
    steps = sum(
        max(0, run.t_max - readings[number].t_env)
        for number, (run, entry) in enumerate(zip(runs, entries, strict=True))
        if entry.state in ("running", "waiting")
    )
    steps += to_come * max((run.t_max for run in runs), default=0)
    return steps / sum(going) if sum(going) > 0 else None


def time_left(seconds: float | None) -> str:
    return "time left unknown" if seconds is None else f"about {duration(seconds)} left"
