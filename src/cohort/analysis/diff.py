"""`run.py diff RUN RUN`: how runs differ."""

import sys
from collections.abc import Sequence
from typing import Any

from cohort.analysis import options
from cohort.analysis.runs import Run
from cohort.analysis.tables import needed, room_in, shown, write, write_table
from cohort.arguments import Parser
from cohort.recording.headline import results

IGNORED = ("local_results_path", "label")  # keys whose differences mean nothing
EXAMPLES = """examples:
  run.py diff qmix__3m__seed1 mnmpg__3m__seed1
  run.py diff results/one results/other results/third"""
_SOURCES = ("commit", "dirty", "diff_hash")
_HASHES, HASH = ("commit", "source_hash"), 12  # letters of a hash that a terminal shows
_MACHINE = ("source_hash", "python", "platform", "hostname", "cpu", "cpu_usable", "gpus", "torch_threads")


def main(words: Sequence[str]) -> int:
    """Compare the runs that `words` name; the exit status."""
    parser = Parser("diff", "Shows how runs differ: configuration, code, game, machine, results.", EXAMPLES)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, or parts of names in results/")
    options.add_database(parser)
    options.add_form(parser)
    chosen = parser.parse(words)
    if len(chosen.runs) < 2:
        parser.error("diff needs two runs or more")
    runs = [options.the_run(name, chosen) for name in chosen.runs]
    rows, equal = differences(runs)
    if chosen.form != "table":
        write_table(["", *(run.name for run in runs)], rows, chosen.form)
        return 0
    rows = [[row[0], *(cell[:HASH] for cell in row[1:])] if row[0] in _HASHES else row for row in rows]
    names = [run.name for run in runs]
    if needed(["", *names], rows) > room_in(sys.stdout):
        numbers = [f"run {number}" for number in range(1, len(runs) + 1)]
        write("".join(f"{number}  {name}\n" for number, name in zip(numbers, names, strict=True)) + "\n")
        names = numbers
    write_table(["", *names], rows, whole=[""])
    write(f"\n{equal} other facts are equal.\n")
    return 0


def differences(runs: Sequence[Run]) -> tuple[list[list[str]], int]:
    """A row of name and values for each fact that is not equal in all runs; and how many facts are equal."""
    tables = [facts(run) for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    keys = [name for name in names if name.startswith("config.")]
    names = [
        *sorted(keys, key=lambda name: ("env_args." in name, name)),
        *(name for name in names if name not in keys),
    ]
    rows = [[name, *(table.get(name, "-") for table in tables)] for name in names]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    return differing, len(rows) - len(differing)


def facts(run: Run) -> dict[str, str]:
    """All facts that are compared, the most important first."""
    session = run.sessions[-1] if run.sessions else {}
    ratio = run.updates_per_episode
    values: dict[str, Any] = {
        f"config.{key}": value for key, value in run.flat_config.items() if key not in IGNORED
    }
    values |= {f"game: {name}": value for name, value in run.facts.items()}
    values |= {"updates per episode": None if ratio is None else f"{ratio:.2g}"}
    values |= {name: run.git.get(name) for name in _SOURCES}
    values |= {name: session.get(name) for name in _MACHINE}
    values |= {f"package: {name}": version for name, version in (session.get("packages") or {}).items()}
    values |= {"status": run.status.state, "t_env": run.status.t_env}
    values |= {f"metrics.{name}": shown(value) for name, value in results(run.recent_metrics).items()}
    return {name: "-" if value is None else str(value) for name, value in values.items()}
