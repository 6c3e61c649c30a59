"""`run.py plot`: learning curves over seeds."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cohort.analysis import comparability, options
from cohort.analysis.comparability import Difference
from cohort.analysis.curves import BANDS, Curve, Settings, make_curve
from cohort.analysis.figure import SUFFIXES, Panel, draw
from cohort.analysis.language import Column, parse_columns
from cohort.analysis.ls import grouped
from cohort.analysis.runs import AXES, Run
from cohort.analysis.statistics import AGGREGATES
from cohort.analysis.tables import shown
from cohort.arguments import Parser
from cohort.errors import UserError
from cohort.recording.curve import short_steps
from cohort.recording.headline import LABELS
from cohort.registry import nearest

NAMES = {"mean": "mean", "median": "median", "iqm": "interquartile mean"}
ALLOW = "Choose with --where, separate them with --by, or draw them with a mark: --allow-mixed."
EXAMPLES = """examples:
  run.py plot
  run.py plot --where "map=3m" --metric test_battle_won_mean --out 3m.pdf
  run.py plot --by config.lr --x updates --aggregate median --band range
  run.py plot --pool-maps --metric test_battle_won_mean

"""

SAY_THEMSELVES = ("method", "map", "env", "label", "name")  # facts whose values need no name beside them

Groups = Mapping[str, Sequence[Run]]  # legend entry -> runs


@dataclass(frozen=True)
class Axis:
    """The runs of one map, or of all maps together."""

    title: str
    groups: Groups


def main(words: Sequence[str]) -> int:
    """Draw what `words` say; the exit status."""
    chosen = _parse(words)
    settings = curve_settings(chosen)
    by = parse_columns(chosen.by)
    fields = [column.field for column in by]
    runs = [run for run in options.chosen_runs(chosen, fields) if not run.config.get("evaluate")]
    if not runs:
        raise UserError("There are no such runs: nothing to draw.")
    metrics = chosen_metrics(chosen.metric, runs)
    axes = pooled_axes(runs, by) if chosen.pool_maps else map_axes(runs, by)
    axes, mixed, refused = comparable(axes, varied_keys(by), allow=chosen.allow_mixed)
    panels = [
        panel for metric in metrics for axis in axes if (panel := axis_panel(axis, metric, settings, mixed))
    ]
    notes = [*(f"* {text}" for texts in mixed.values() for text in texts)]
    notes += [f"left out, because its runs must not share a panel: {title}" for title in refused]
    runs = [run for axis in axes for group in axis.groups.values() for run in group]
    notes += [difference.short() for difference in comparability.worth_a_note(runs)]
    notes += unequal_lengths(panels, settings)
    notes += [f"diverged: {run.name}" for run in runs if run.diverged]
    notes = list(dict.fromkeys(notes))
    draw(
        panels,
        chosen.out,
        x_label=AXES[settings.x],
        caption=caption(settings),
        notes=notes,
        title=chosen.title,
    )
    for note in notes:
        print(note)
    for error in refused.values():
        print(f"left out: {error}", file=sys.stderr)
    print(f"{len(runs)} runs: {chosen.out}")
    return 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser("plot", "Draws learning curves: one panel per map and metric.", EXAMPLES + options.FIELDS)
    options.add_source(parser)
    add_curves(parser)
    parser.add_argument(
        "--pool-maps", action="store_true", help="one panel over all maps, seeds resampled per map"
    )
    parser.add_argument(
        "--allow-mixed",
        action="store_true",
        help="draw runs that must not be compared, with a mark",
    )
    parser.add_argument("--title", default="", metavar="TEXT", help="a line above the figure")
    parser.add_argument(
        "--out", type=Path, default=Path("plot.png"), metavar="FILE", help="default: %(default)s"
    )
    chosen = parser.parse(words)
    refuse_curves(parser, chosen)
    if chosen.out.suffix.lower() not in SUFFIXES:
        parser.error(f"--out {chosen.out}: must end in {', '.join(SUFFIXES)}")
    return chosen


def add_curves(parser: Parser) -> None:
    """Options that say which curves are drawn, and how."""
    parser.add_argument(
        "--metric", metavar="NAMES", help="with commas; default: test win rate and test return"
    )
    parser.add_argument("--x", choices=AXES, default="steps", help="default: environment steps")
    parser.add_argument(
        "--by", metavar="FIELDS", default="method", help="one curve for each value; default: method"
    )
    parser.add_argument(
        "--aggregate", choices=AGGREGATES, default="iqm", help="over seeds; default: %(default)s"
    )
    parser.add_argument("--band", choices=BANDS, default="interval", help="default: a bootstrap interval")
    parser.add_argument("--level", type=float, default=0.95, help="of the interval; default: %(default)s")
    parser.add_argument(
        "--smooth",
        type=int,
        default=1,
        metavar="VALUES",
        help="moving average over so many values; default: none",
    )


def refuse_curves(parser: Parser, chosen: argparse.Namespace) -> None:
    """Refuse values of the options of `add_curves` that make no curve."""
    if not 0 < chosen.level < 1:
        parser.error(f"--level {chosen.level:g}: must lie between 0 and 1, as 0.95")
    if chosen.smooth < 1:
        parser.error(f"--smooth {chosen.smooth}: must be 1 or more")


def curve_settings(chosen: argparse.Namespace) -> Settings:
    """What the options of `add_curves` say."""
    return Settings(
        x=chosen.x, aggregate=chosen.aggregate, band=chosen.band, level=chosen.level, smooth=chosen.smooth
    )


def varied_keys(by: Sequence[Column]) -> set[str]:
    """The keys whose values are compared on purpose."""
    return {column.field.key[1] for column in by if column.field.key}


def chosen_metrics(typed: str | None, runs: Sequence[Run]) -> list[str]:
    """The metrics to draw: those that were named, or the best results that any run has.

    Raises:
        UserError: no run has a metric that was named.
    """
    if typed is None:
        for names in (("test_battle_won_mean", "test_return_mean"), tuple(LABELS)):
            found = [name for name in names if any(run.last(name) is not None for run in runs)]
            if found:
                return found
        raise UserError("These runs have logged no result yet. Name a metric: --metric loss.")
    known = sorted({name for run in runs for name in run.recent_metrics})
    names = [name.strip().removeprefix("metrics.") for name in typed.split(",")]
    for name in names:
        if all(run.last(name) is None for run in runs):
            raise UserError(
                f"--metric {name}: no run has it.{nearest(name, known)}\nThere are: {', '.join(known[:40])}."
            )
    return names


def map_axes(runs: Sequence[Run], by: Sequence[Column]) -> list[Axis]:
    """One axis per map; where two environments have a map of the same name, with the environment's name."""
    worlds: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.map_name, run.env)):
        worlds.setdefault((run.map_name, run.env), []).append(run)
    names = [name for name, _ in worlds]
    return [
        Axis(f"{name} ({env})" if names.count(name) > 1 else name, curve_groups(members, by))
        for (name, env), members in worlds.items()
    ]


def pooled_axes(runs: Sequence[Run], by: Sequence[Column]) -> list[Axis]:
    """One axis over all maps.

    Raises:
        UserError: a curve lacks a map or has more seeds on one than on another: maps would weigh differently.
    """
    groups = curve_groups(runs, by)
    counts = {
        label: {name: len(members) for name, members in _by_map(group).items()}
        for label, group in groups.items()
    }
    if len({tuple(sorted(count.items())) for count in counts.values()}) > 1 or any(
        len(set(count.values())) > 1 for count in counts.values()
    ):
        table = "\n".join(
            f"  {label}: " + ", ".join(f"{name} ({count})" for name, count in sorted(maps.items()))
            for label, maps in counts.items()
        )
        raise UserError(
            f"--pool-maps needs the same maps for all curves and the same number of seeds on each. There are\n{table}\n"
            "Choose with --where."
        )
    maps = sorted({run.map_name for run in runs})
    return [Axis(f"{len(maps)} maps" if len(maps) > 3 else ", ".join(maps), groups)]


def curve_groups(runs: Sequence[Run], by: Sequence[Column]) -> dict[str, list[Run]]:
    """Legend entry -> runs. An entry has the values of `by`, with the key's name where the value alone is unclear."""
    groups: dict[str, list[Run]] = {}
    for _, group in grouped(runs, by):
        parts = []
        for column in by:
            text = shown(column.field.ask(group[0]), column.field.unit) or "none"
            says_itself = column.title in SAY_THEMSELVES
            parts.append(text if says_itself else f"{column.title.rpartition('.')[2]}={text}")
        groups.setdefault(", ".join(parts), []).extend(group)
    return groups


def comparable(
    axes: Sequence[Axis], varied: set[str], *, allow: bool
) -> tuple[list[Axis], dict[str, list[str]], dict[str, UserError]]:
    """The axes whose runs may share a panel, what `check` marks in them, and why the others are left out.

    Raises:
        UserError: there are no others.
    """
    kept: list[Axis] = []
    marks: dict[str, list[str]] = {}
    refused: dict[str, UserError] = {}
    for axis in axes:
        try:
            found = check(axis, varied, allow=allow)
        except UserError as error:
            refused[axis.title] = error
            continue
        kept.append(axis)
        for label, texts in found.items():
            marks.setdefault(label, []).extend(texts)
    if not kept:
        raise next(iter(refused.values()))
    return kept, marks, refused


def check(axis: Axis, varied: set[str], *, allow: bool) -> dict[str, list[str]]:
    """Refuse curves that must not be compared and runs that are not seeds of one curve, or say what to mark.

    Returns:
        Legend entry to what is wrong with it; empty unless `allow`.

    Raises:
        UserError: there is such a difference, and `allow` is false.
    """
    marks: dict[str, list[str]] = {}
    for label, group in axis.groups.items():
        found = comparability.within_curve(group)
        if not allow:
            comparability.refuse(found, f"{axis.title}: the runs of the curve {label!r}", ALLOW)
        _mark(marks, [label], axis, found)
    for name, members in _by_map([run for group in axis.groups.values() for run in group]).items():
        found = comparability.between_curves(members, varied)
        if not allow:
            comparability.refuse(found, f"{name}: runs that are to be compared", ALLOW)
        _mark(marks, list(axis.groups), axis, found)
    return marks


def _mark(
    marks: dict[str, list[str]], labels: Sequence[str], axis: Axis, found: Sequence[Difference]
) -> None:
    for difference in found:
        for label in labels:
            marks.setdefault(label, []).append(f"{axis.title}: {difference.short()}")


def axis_panel(
    axis: Axis, metric: str, settings: Settings, mixed: Mapping[str, Sequence[str]]
) -> Panel | None:
    """The panel of one metric; None where no run of the axis has it."""
    curves: dict[str, Curve] = {}
    for label, group in axis.groups.items():
        curve = make_curve(_by_map(group), metric, settings)
        if curve is not None:
            curves[label] = curve
    marks = [
        label for label, texts in mixed.items() if any(text.startswith(f"{axis.title}: ") for text in texts)
    ]
    return Panel(axis.title, metric, curves, frozenset(marks)) if curves else None


def unequal_lengths(panels: Sequence[Panel], settings: Settings) -> list[str]:
    """A line for each curve that ends with its shortest run, well before its longest."""
    lines = []
    for panel in panels:
        for label, curve in panel.curves.items():
            if curve.x[-1] < 0.97 * curve.longest:
                ends = f"{short_steps(curve.x[-1])} of {short_steps(curve.longest)}"
                lines.append(
                    f"{panel.title}, {label}: ends with its shortest run, at {ends} {AXES[settings.x]}"
                )
    return lines


def caption(settings: Settings) -> str:
    """One line that says what lines and bands are."""
    bands = {
        "interval": f"{100 * settings.level:g} % bootstrap interval",
        "range": "minimum to maximum",
        "std": "standard deviation (n - 1)",
        "none": "",
    }
    parts = [f"{NAMES[settings.aggregate]} over runs", bands[settings.band]]
    if settings.smooth > 1:
        parts.append(f"moving average over {settings.smooth} values")
    return "; ".join(filter(None, parts))


def _by_map(runs: Sequence[Run]) -> dict[str, list[Run]]:
    maps: dict[str, list[Run]] = {}
    for run in runs:
        maps.setdefault(f"{run.env} {run.map_name}", []).append(run)
    return maps
