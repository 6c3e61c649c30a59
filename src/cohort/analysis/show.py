"""`run.py show RUN`: one run on one page."""

import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence

import numpy as np

from cohort.analysis import options
from cohort.analysis.runs import Run
from cohort.analysis.tables import duration, needed, room_in, shown, write, write_table
from cohort.arguments import Parser
from cohort.recording.curve import short_steps

COURSE = "course"
BARS = " ▁▂▃▄▅▆▇█"
WIDTH, NARROWEST = 24, 6  # of a sparkline
HEADINGS = ("metric", "last", "min", "max", "max at", COURSE)
SECONDARY = (COURSE, "max at", "min", "max")  # left out where there is no room, the first first
EXAMPLES = """examples:
  run.py show results/qmix__3m__seed1__2026-11-20_18-09-14
  run.py show qmix__3m__seed1              any part of a name in results/ that only one run has"""


def main(words: Sequence[str]) -> int:
    """Show the run that `words` name; the exit status."""
    parser = Parser("show", "Shows a run: its status, origin, configuration and metrics.", EXAMPLES)
    parser.add_argument("run", metavar="RUN", help="a run folder, or a part of a name in results/")
    options.add_database(parser)
    chosen = parser.parse(words)
    run = options.the_run(chosen.run, chosen)
    write_table(["", run.name], [[name, text] for name, text in summary(run)])
    write("\n")
    write_table(HEADINGS, metric_rows(run, room_in(sys.stdout)), secondary=SECONDARY, whole=("metric",))
    write("\n" + config_text(run, shutil.get_terminal_size((120, 24)).columns) + "\n")
    return 0


def metric_rows(run: Run, room: int) -> list[list[str]]:
    """A row for each metric under `HEADINGS`; its course is as long as there is room in a line."""
    rows = [metric_row(run, metric) for metric in metrics_of(run)]
    over = needed(HEADINGS, rows) - room
    if rows and over > 0:
        width = max(NARROWEST, WIDTH - over)
        rows = [metric_row(run, row[0], width) for row in rows]
    return rows


def summary(run: Run) -> list[tuple[str, str]]:
    """The facts to know first: name and text of each."""
    status = run.status
    done = f"{status.state} at {short_steps(status.t_env)} of {short_steps(run.config.get('t_max', 0))} steps"
    counts = [
        f"{count:,} {what}" for count, what in ((run.updates, "updates"), (run.episode, "episodes")) if count
    ]
    lines = [
        ("place", run.place),
        ("status", ", ".join([done, *counts, f"{duration(status.wall_seconds)} of running"])),
    ]
    if run.updates_per_episode is not None:
        lines.append(("updates/episode", f"{run.updates_per_episode:.3g}"))
    for number, session in enumerate(run.sessions, start=1):
        lines += _session_lines(session, f" {number}" if len(run.sessions) > 1 else "")
    return lines


def _session_lines(session: dict, number: str) -> list[tuple[str, str]]:
    git, packages = session.get("git") or {}, session.get("packages") or {}
    code = [git.get("commit") or "not a checkout", *(["with changes"] if git.get("dirty") else [])]
    versions = [
        f"Python {session.get('python')}",
        *(f"{name} {packages[name]}" for name in ("torch",) if name in packages),
    ]
    machine = [session.get("hostname"), session.get("cpu"), *(session.get("gpus") or [])]
    lines = [
        (
            f"session{number}",
            " on ".join(filter(None, (session.get("started"), ", ".join(filter(None, machine))))),
        ),
        ("  typed", session.get("command") or "?"),
        ("  code", f"{', '.join(code)}; {', '.join(versions)}"),
    ]
    facts = session.get("environment") or {}
    if facts:
        lines.append(
            ("  game", ", ".join(f"{name} {shlex.quote(str(value))}" for name, value in facts.items()))
        )
    return lines


def config_text(run: Run, width: int) -> str:
    """Every key and value, in lines of at most `width` characters."""
    pairs = [
        f"{key}={value!r}" if value == "" else f"{key}={value}" for key, value in run.flat_config.items()
    ]
    return textwrap.fill("config: " + "  ".join(pairs), width, subsequent_indent="  ", break_on_hyphens=False)


def metrics_of(run: Run) -> list[str]:
    """Every metric of a run: those of evaluation first, otherwise in the order of their first value."""
    names = list(dict.fromkeys(name for record in run.records for name in record.metrics))
    return sorted(names, key=lambda name: not name.startswith("test_"))


def metric_row(run: Run, metric: str, width: int = WIDTH) -> list[str]:
    """A metric's last value, minimum, maximum, the step of the maximum, and its course."""
    steps, values = run.series(metric)
    if not len(values):
        return [metric, "never finite", "", "", "", ""]
    best = int(values.argmax())
    numbers = (float(values[-1]), float(values.min()), float(values[best]))
    return [
        metric,
        *(shown(number) for number in numbers),
        short_steps(steps[best]),
        sparkline(steps, values, width),
    ]


def sparkline(steps: np.ndarray, values: np.ndarray, width: int = WIDTH) -> str:
    """The course of [K] values over [K] steps in `width` characters, scaled from minimum to maximum."""
    low, high = values.min(), values.max()
    cells = np.minimum((width * (steps - steps[0]) / max(steps[-1] - steps[0], 1)).astype(int), width - 1)
    counts = np.bincount(cells, minlength=width)
    means = np.bincount(cells, values, minlength=width) / np.maximum(counts, 1)
    heights = np.rint(1 + 7 * (means - low) / (high - low)) if high > low else np.full(width, 4)
    return "".join(BARS[int(height)] if count else " " for height, count in zip(heights, counts, strict=True))
