"""The scatter plot of `compare`: our win rates to the right, the real game's upwards."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.real_game.rows import Row
from cohort.analysis.figure import styled, write
from cohort.analysis.statistics import Aggregate

MARKERS = ("o", "s", "^", "D", "v", "P")
SIZE = 5.6  # inches


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
    with styled(SIZE, SIZE) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, zorder=0)
        for number, method in enumerate(methods):
            colour, marker = f"C{number}", MARKERS[number % len(MARKERS)]
            axes.plot([], [], marker, color=colour, label=method)
            for row in rows:
                if row.method == method:
                    x, y = float(aggregate(row.ours, 0)), float(aggregate(row.real, 0))
                    axes.plot(
                        [row.ours.min(), row.ours.max()], [y, y], color=colour, linewidth=0.6, alpha=0.5
                    )
                    axes.plot(
                        [x, x], [row.real.min(), row.real.max()], color=colour, linewidth=0.6, alpha=0.5
                    )
                    face = "white" if row.short else colour
                    axes.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=5)
                    # labels left of the points that stand at the right edge
                    side = (-5, "right") if x > 0.8 else (5, "left")
                    axes.annotate(
                        row.map_name, (x, y), (side[0], 3), textcoords="offset points", ha=side[1], fontsize=6
                    )
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.set_xlabel("test win rate in sc2_sim")
        axes.set_ylabel("published test win rate in StarCraft II")
        axes.legend(loc="upper left", frameon=False)
        note = "lines: lowest to highest run; same map, method and environment steps on both sides"
        if any(row.short for row in rows):
            note += "\nwhite: short budget, the published curve goes on"
        figure.supxlabel(note, fontsize=6.5, color="#555555", x=0.01, ha="left")
        write(figure, path)
