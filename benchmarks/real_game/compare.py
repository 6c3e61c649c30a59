"""`python -m benchmarks.real_game.compare results/ --out docs/real_game.png`: do our win rates predict the real game's?

Sets runs on sc2_sim beside published win rates of StarCraft II (published.yaml) on the same map, with the same method,
at the same number of environment steps. On both sides a run counts with the mean of its tests in the 50,000 steps
before that point. A map and method are compared at the last published point that our runs reach; where the published
curve goes on, the row says "short budget". Printed are a table and rank correlations, drawn is a scatter plot.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.real_game.published import PUBLISHED, Published, read_published
from benchmarks.real_game.ranks import Correlation, chance, interval, kendall, spearman
from benchmarks.real_game.rows import (
    Row,
    last_rows,
    missing,
    order,
    our_cells,
    preferred,
    refuse_mixed,
    rows_of,
)
from cohort.analysis import options
from cohort.analysis.statistics import AGGREGATES, Aggregate
from cohort.analysis.tables import write, write_table
from cohort.errors import UserError
from cohort.recording.curve import short_steps

Point = tuple[str, float, float]  # a map, our win rate and the real one

KEPT = Path(__file__).parent / "runs"  # of ours, read beside results where no folder is named
FEWEST = 4  # points that a correlation needs


def main(words: Sequence[str] | None = None) -> None:
    chosen = _parse(words)
    try:
        compare(chosen)
    except UserError as error:
        sys.exit(str(error))


def compare(chosen: argparse.Namespace) -> None:
    """Print the tables and draw the figure that the options name.

    Raises:
        UserError: no run has a published counterpart, or runs differ that must not.
    """
    published = read_published(chosen.published)
    if chosen.source and chosen.source not in published.sources:
        raise UserError(f"--source {chosen.source}: there are {', '.join(published.sources)}.")
    curves = preferred(published, chosen.source)
    ours = our_cells(options.chosen_runs(chosen, kept=KEPT))
    shared = {cell: runs for cell, runs in ours.items() if cell in curves}
    refuse_mixed(shared)
    every = [row for cell, runs in shared.items() for row in rows_of(cell, runs, curves[cell])]
    last = last_rows(every)
    if not last:
        raise UserError("\n".join(["No run reaches a published point.", *missing(curves, ours, last)]))
    aggregate = AGGREGATES[chosen.statistic]
    write(f"Win rates: {chosen.statistic} over runs (their number).\n\n")
    _write_rows(sorted(every, key=order) if chosen.every else last, published, aggregate)
    write("\n")
    _write_correlations(every, last, published, aggregate, chosen.replicates)
    write("\n" + "".join(f"{line}\n" for line in missing(curves, ours, last)))
    if chosen.out:
        from benchmarks.real_game.scatter import draw

        draw(last, aggregate, chosen.out)
        write(f"{len(last)} points: {chosen.out}\n")


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_source(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="the scatter plot: .png, .svg or .pdf")
    parser.add_argument("--source", metavar="NAME", help="compare with this source alone")
    parser.add_argument("--statistic", choices=AGGREGATES, default="mean", help="over runs; default: mean")
    parser.add_argument("--every", action="store_true", help="list every point, not each cell's last one")
    parser.add_argument("--replicates", type=int, default=2000, help="of the bootstrap; default: 2000")
    parser.add_argument("--published", type=Path, default=PUBLISHED, metavar="FILE", help="default: ours")
    return parser.parse_args(words)


def _write_rows(rows: Sequence[Row], published: Published, aggregate: Aggregate) -> None:
    table = []
    for row in rows:
        ours, real = (float(aggregate(runs, 0)) for runs in (row.ours, row.real))
        others = [
            f"{value.table} {value.win_rate:.2f}"
            for value in published.tables.get((row.map_name, row.method), [])
            if row.source.axis == "steps" and value.at == row.at
        ]
        numbers = [f"{ours:.2f} ({len(row.ours)})", f"{real:.2f} ({len(row.real)})", f"{ours - real:+.2f}"]
        source = f"{row.source.name}, {row.source.game}"
        mark = "short budget" if row.short else ""
        table.append([row.map_name, row.method, row.place, *numbers, source, ", ".join(others), mark])
    headings = ["map", "method", "steps", "ours", "real", "ours - real", "source, game", "tables", ""]
    write_table(headings, table, "markdown")


def _write_correlations(
    every: Sequence[Row], last: Sequence[Row], published: Published, aggregate: Aggregate, replicates: int
) -> None:
    """Ours against the real game over cells and over maps, and the real game against itself."""
    groups = {"each map and method, last point": points(last, aggregate)}
    on_steps = [row for row in every if row.source.axis == "steps"]
    for at in sorted({row.at for row in on_steps}):
        group = [row for row in on_steps if row.at == at]
        groups[f"each map and method, {short_steps(at)}"] = points(group, aggregate)
    for method in sorted({row.method for row in last}):
        group = [row for row in last if row.method == method]
        groups[f"maps with {method}, last point"] = points(group, aggregate)
    methods, group = by_map(last, aggregate)
    groups[f"maps, mean of {', '.join(methods)}, last point"] = group
    groups |= real_against_real(published, aggregate)
    table = [
        correlation_line(name, group, replicates) for name, group in groups.items() if len(group) >= FEWEST
    ]
    if not table:
        write(f"Fewer than {FEWEST} maps and methods: no correlation.\n")
        return
    headings = ["correlation over", "points", "maps", "Spearman (95 %)", "Kendall (95 %)", "chance"]
    write_table(headings, table, "markdown")
    write(
        "\nIntervals: bootstrap over maps. Chance: the share of all orders of the real numbers that have at least\n"
        "this Spearman's correlation; given where each map stands once.\n"
    )


def points(rows: Iterable[Row], aggregate: Aggregate) -> list[Point]:
    """One point for each row."""
    return [(row.map_name, float(aggregate(row.ours, 0)), float(aggregate(row.real, 0))) for row in rows]


def by_map(rows: Sequence[Row], aggregate: Aggregate) -> tuple[list[str], list[Point]]:
    """How easy each map is: the mean over those methods that every map of `rows` has; and these methods."""
    maps: dict[str, dict[str, Row]] = {}
    for row in rows:
        maps.setdefault(row.map_name, {})[row.method] = row
    common = sorted(set.intersection(*(set(methods) for methods in maps.values())))
    if not common:
        return [], []
    means = []
    for map_name, methods in maps.items():
        of_map = points([methods[method] for method in common], aggregate)
        means.append((map_name, *np.mean([numbers for _, *numbers in of_map], axis=0).tolist()))
    return common, means


def real_against_real(published: Published, aggregate: Aggregate) -> dict[str, list[Point]]:
    """What one public record says of another at the same steps: more cannot be asked of a simulator."""
    groups: dict[tuple[int, str, str], list[Point]] = {}
    for (map_name, _), curves in published.curves.items():
        for one, other in combinations(curves.values(), 2):
            if {one.source.axis, other.source.axis} == {"steps"}:
                for at in one.points.keys() & other.points.keys():
                    pair = (float(aggregate(curve.points[at], 0)) for curve in (other, one))
                    key = (at, other.source.name, one.source.name)
                    groups.setdefault(key, []).append((map_name, *pair))
    games = {name: source.game for name, source in published.sources.items()}
    return {
        f"real games {games[other]} and {games[one]} ({other}, {one}), {short_steps(at)}": group
        for (at, other, one), group in sorted(groups.items())
    }


def correlation_line(name: str, group: Sequence[Point], replicates: int) -> list[str]:
    """One line of the table of correlations."""
    maps = [map_name for map_name, _, _ in group]
    x, y = np.array([numbers for _, *numbers in group]).T

    def told(correlation: Correlation) -> str:
        value = correlation(x, y)
        if np.isnan(value):
            return "undefined: one side is constant"
        low, high = interval(maps, x, y, correlation, replicates=replicates)
        return f"{value:.2f}" + ("" if np.isnan(low) else f" ({low:.2f} to {high:.2f})")

    luck = chance(x, y) if len(set(maps)) == len(maps) else np.nan
    shown = "" if np.isnan(luck) else f"{luck:.4f}" if luck >= 0.0001 else "below 0.0001"
    return [name, str(len(maps)), str(len(set(maps))), told(spearman), told(kendall), shown]


if __name__ == "__main__":
    main()
