"""`run.py export`: all values as CSV, evaluations as the JSON of marl-eval, or runs without what is large."""

import csv
import io
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cohort.analysis import options
from cohort.analysis.comparability import between_curves, within_curve, worth_a_note
from cohort.analysis.kept_runs import keep_run
from cohort.analysis.output import write_file
from cohort.analysis.runs import Run
from cohort.analysis.tables import write
from cohort.arguments import Parser
from cohort.errors import UserError
from cohort.recording.headline import LABELS

FORMATS = ("csv", "marl-eval", "runs")
EXAMPLES = """examples:
  run.py export --format csv --metric test_return_mean,loss > values.csv
  run.py export --where "status=COMPLETED" --format marl-eval --out marl_eval.json
  run.py export --format runs --out papers/mnmpg/runs --where "map=5m_vs_6m"    # records alone, some kB each"""
CSV_HEADINGS = (
    "run",
    "method",
    "env",
    "map",
    "seed",
    "t_env",
    "updates",
    "episode",
    "wall_time",
    "metric",
    "value",
)
# marl-eval takes names apart at "_" to find what to normalise: these are the names that work there.
MARL_EVAL_NAMES = {
    "test_return_mean": "return",
    "test_battle_won_mean": "win_rate",
    "test_ep_length_mean": "episode_length",
}


def main(words: Sequence[str]) -> int:
    """Export the runs that `words` name; the exit status."""
    parser = Parser("export", "Writes runs for other programs and other machines.", EXAMPLES)
    options.add_source(parser)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="csv, marl-eval: values; runs: folders that every command reads, without checkpoints, models and videos",
    )
    parser.add_argument(
        "--metric", metavar="NAMES", help="with commas; default: all (csv), win rate and return (marl-eval)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: standard output; with runs, a folder"
    )
    chosen = parser.parse(words)
    if chosen.format == "runs" and (chosen.out is None or chosen.metric):
        parser.error("--format runs needs --out FOLDER, and keeps every metric")
    metrics = chosen.metric.split(",") if chosen.metric else []
    runs = options.chosen_runs(chosen)
    if chosen.format == "runs":
        return _keep(runs, chosen.out)
    if chosen.format == "csv":
        text = csv_text(runs, metrics)
    else:
        tree, notes = marl_eval_tree(runs, metrics)
        text = json.dumps(tree, indent=1) + "\n"
        for note in notes:
            print(note, file=sys.stderr)
    if chosen.out is None:
        write(text)
    else:
        write_file(chosen.out, lambda file: file.write(text.encode()))
        print(f"{len(runs)} runs: {chosen.out}")
    return 0


def _keep(runs: Sequence[Run], destination: Path) -> int:
    _refuse_missing(runs, ())
    for run in runs:
        keep_run(run, destination)
    print(f"{len(runs)} runs: {destination}")
    return 0


def csv_text(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """One line per value under `CSV_HEADINGS`; values that are not finite are nan, inf or -inf."""
    _refuse_missing(runs, metrics)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADINGS)
    for run in runs:
        who = (run.name, run.method, run.env, run.map_name, run.seed)
        for record in run.records:
            counts = ("", "") if run.updates is None else (record.updates, record.episode)
            when = (record.t_env, *counts, record.wall_time)
            writer.writerows(
                (*who, *when, name, value)
                for name, value in record.metrics.items()
                if not metrics or name in metrics
            )
    return text.getvalue()


def marl_eval_tree(runs: Sequence[Run], metrics: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The tree environment -> task -> algorithm -> seed -> step_k, and notes for readers of the figures.

    marl-eval (Gorsane et al. 2022, arXiv:2209.10485) wants in each environment the same algorithms, tasks, seeds,
    metrics and number of evaluations: evaluations beyond the fewest are left out, the rest is for
    the caller to choose. `absolute_metrics`, the last step, is the last of the kept evaluations.

    Raises:
        UserError: the runs do not have the same methods, maps, seeds and metrics; the message names them.
    """
    metrics = metrics or [
        name
        for name in LABELS
        if name.startswith("test_") and all(run.last(name) is not None for run in runs)
    ]
    _refuse_missing(runs, metrics, every=True)
    notes = [
        "absolute_metrics: the last evaluation kept, not a new one of the best policy with 10 times the episodes."
    ]
    tree: dict[str, Any] = {}
    worlds: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        worlds[run.env.lower()].append(run)
    for env, members in worlds.items():
        _refuse_uneven(env, members)
        notes += _doubts(members)
        evaluations = {run.name: _evaluations(run, metrics) for run in members}
        fewest = min(map(len, evaluations.values()))
        if fewest == 0:
            empty = next(name for name, steps in evaluations.items() if not steps)
            raise UserError(
                f"{empty} has no evaluation with all of {', '.join(metrics)}. Leave it out with --where."
            )
        if dropped := sum(len(steps) - fewest for steps in evaluations.values()):
            notes.append(f"{env}: {dropped} evaluations left out, so that every run has {fewest}.")
        for run in members:
            kept = evaluations[run.name][:fewest]
            steps: dict[str, Any] = {f"step_{number}": step for number, step in enumerate(kept, start=1)}
            steps["absolute_metrics"] = {
                name: value for name, value in kept[-1].items() if name != "step_count"
            }
            algorithms = tree.setdefault(env, {}).setdefault(run.map_name.lower(), {})
            algorithms.setdefault(run.method, {})[f"seed_{run.seed}"] = steps
    return tree, notes


def _doubts(runs: Sequence[Run]) -> list[str]:
    """What `run.py plot` would refuse or mark, as notes."""
    maps: dict[str, list[Run]] = defaultdict(list)
    curves: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        maps[run.map_name].append(run)
        curves[run.map_name, run.method].append(run)
    doubts = [(name, [*between_curves(group), *worth_a_note(group)]) for name, group in maps.items()]
    doubts += [(" ".join(name), within_curve(group)) for name, group in curves.items()]
    return [f"{name} differs in {one.short()}" for name, found in doubts for one in found]


def _evaluations(run: Run, metrics: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "step_count": record.t_env,
            **{MARL_EVAL_NAMES.get(name, name.lower()): [record.metrics[name]] for name in metrics},
        }
        for record in run.records
        if all(name in record.metrics for name in metrics)
    ]


def _refuse_missing(runs: Sequence[Run], metrics: Sequence[str], *, every: bool = False) -> None:
    if not runs:
        raise UserError("There are no such runs: nothing to export.")
    if every and not metrics:
        raise UserError("No test metric is common to these runs. Name one: --metric test_return_mean.")
    for name in metrics:
        lacking = [run.name for run in runs if run.last(name) is None]
        if len(lacking) == len(runs) or (every and lacking):
            known = sorted({metric for run in runs for metric in run.recent_metrics})
            raise UserError(f"{name}: {lacking[0]} has no such metric. There are: {', '.join(known[:40])}.")


def _refuse_uneven(env: str, runs: Sequence[Run]) -> None:
    """Every task needs the same algorithms, and every algorithm the same seeds, once each."""
    seeds: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for run in runs:
        seeds[run.map_name.lower(), run.method].append(run.seed)
    tasks, methods = {task for task, _ in seeds}, {method for _, method in seeds}
    cells = [
        (task, method, sorted(seeds[task, method], key=str))
        for task in sorted(tasks)
        for method in sorted(methods)
    ]
    wanted = sorted(set(cells[0][2]), key=str)
    if all(found == wanted for _, _, found in cells):
        return
    table = "\n".join(
        f"  {task} {method}: seeds {', '.join(map(str, found)) or 'none'}" for task, method, found in cells
    )
    raise UserError(
        f"marl-eval needs every method on every map with the same seeds, once each. In {env} there are\n{table}\n"
        'Choose with --where, as --where "map=3m and seed in (1, 2, 3)".'
    )
