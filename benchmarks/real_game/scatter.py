"""The scatter plot of `compare`: our win rates to the right, the real game's upwards."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.real_game.rows import Row
from cohort.analysis.figure import styled, write
from cohort.analysis.statistics import Aggregate

Spot = tuple[float, float]  # our win rate and the real one

MARKERS = ("o", "s", "^", "D", "v", "P")
SIZE = 5.6  # inches
GAP, WIDE, HIGH = 0.018, 0.11, 0.024  # of labels, as shares of the axes
SAME = 0.03  # points closer than about this lie on each other
RIGHT = 0.8  # right of this, labels stand left of their points


def draw(rows: Sequence[Row], aggregate: Aggregate, path: Path) -> None:
    """Write the figure: a marker and a colour for each method, lines from the lowest to the highest run.

    Args:
        rows: one for each point.
        aggregate: one of `cohort.analysis.statistics.AGGREGATES`.
        path: a file of one of `cohort.analysis.figure.SUFFIXES`.

    Raises:
        UserError: the file cannot be written.
    """
    methods = sorted({row.method for row in rows})
    spots = [(float(aggregate(row.ours, 0)), float(aggregate(row.real, 0))) for row in rows]
    with styled(SIZE, SIZE) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, zorder=0)
        for number, method in enumerate(methods):
            colour, marker = f"C{number}", MARKERS[number % len(MARKERS)]
            axes.plot([], [], marker, color=colour, label=method)
            for row, (x, y) in zip(rows, spots, strict=True):
                if row.method == method:
                    axes.plot(
                        [row.ours.min(), row.ours.max()], [y, y], color=colour, linewidth=0.6, alpha=0.5
                    )
                    axes.plot(
                        [x, x], [row.real.min(), row.real.max()], color=colour, linewidth=0.6, alpha=0.5
                    )
                    face = "white" if row.short else colour
                    axes.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=5)
        names, spots = labels([row.map_name for row in rows], spots)
        for name, (x, y), place in zip(names, spots, free_places(spots), strict=True):
            moved = {"arrowprops": {"arrowstyle": "-", "color": "#999999", "linewidth": 0.4}}
            axes.annotate(
                name,
                (x, y),
                place,
                ha="left" if place[0] > x else "right",
                va="center",
                fontsize=6,
                **(moved if place[1] != y else {}),
            )
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.set_xlabel("test win rate in sc2_sim")
        axes.set_ylabel("published test win rate in StarCraft II")
        axes.legend(loc="upper left", frameon=False)
        note = (
            "lines: lowest to highest run; same map, method and environment steps (or episodes) on both sides"
        )
        if any(row.short for row in rows):
            note += "\nwhite: short budget, the published curve goes on"
        figure.supxlabel(note, fontsize=6.5, color="#555555", x=0.01, ha="left")
        write(figure, path)


def labels(names: Sequence[str], spots: Sequence[Spot]) -> tuple[list[str], list[Spot]]:
    """Names and where they belong: methods of one map that lie on each other need its name once."""
    first: dict[tuple[str, int, int], Spot] = {}
    for name, (x, y) in zip(names, spots, strict=True):
        first.setdefault((name, round(x / SAME), round(y / SAME)), (x, y))
    return [name for name, _, _ in first], list(first.values())


def free_places(spots: Sequence[Spot]) -> list[Spot]:
    """Where each spot's label stands: beside it, or above other labels that are there already.

    Labels are right of their spot, and left of it near the right edge, where they go down instead of up.
    """
    places: dict[int, tuple[float, float]] = {}
    sides = [-1 if x > RIGHT else 1 for x, _ in spots]
    for number in sorted(range(len(spots)), key=lambda number: sides[number] * spots[number][1]):
        (x, y), side = spots[number], sides[number]
        place = (x + side * GAP, y)
        while any(abs(place[0] - a) < WIDE and abs(place[1] - b) < HIGH for a, b in places.values()):
            place = (place[0] + side * GAP / 4, place[1] + side * HIGH / 4)
        places[number] = place
    return [places[number] for number in range(len(spots))]
