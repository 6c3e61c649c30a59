"""Drawing curves: one panel per map and metric, readable in a column of a paper."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from cohort.analysis.curves import MAX_POINTS, Curve
from cohort.analysis.output import write_file
from cohort.analysis.overlaps import dashes
from cohort.recording.curve import short_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people can tell apart, without yellow, which is hard to see on white.
# Where there are more curves than colours, strokes tell them apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STROKES = ("-", "--", ":", "-.")
SUFFIXES = (".png", ".svg", ".pdf")
WIDEST = 4  # panels in a row
NOTES = 12  # lines of small print, more in a narrow figure; the terminal shows all
NOTES_WIDTH = 5.0  # inches; a narrower figure may have more lines
LETTERS = 18  # of small print in an inch
LEGEND_LINE = 4  # letters as wide as the line of an entry
LEGEND_ROW = 0.14  # inches
PANEL = (2.5, 1.9)  # inches
SPOT, LONE_SPOT = 2.5, 6.0  # points: of one result among several, of a curve that is no more than one
BARS = 0.8  # of the way from one place to the next that is filled

Form = Literal["lines", "bars", "dots"]
Stroke = (
    str | tuple[float, tuple[float, float]]
)  # one of STROKES, or where dashes begin, and how long they and gaps are
Style = tuple[str, Stroke]  # colour and stroke


@dataclass(frozen=True)
class Surface:
    """Heights over a plane, drawn as colours.

    Attributes:
        x: [G] places along the x axis, or [G + 1] edges of cells.
        y: [K] places along the y axis, or [K + 1] edges.
        z: [K, G] the heights.
        label: what they are.
        most: the height at which the colours end; None: its own greatest.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    label: str
    most: float | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: the map.
        metric: the metric's name.
        curves: legend entry without the number of seeds, to curve.
        marks: legend entries that get an asterisk, because the notes speak of them.
        y_label: what the y axis says instead of the metric's name.
        levels: text to a height at which a thin line bears it.
        log: whether the y axis is logarithmic.
        counted: whether legend entries say how many runs they are made of.
        form: how curves are drawn: as lines, as bars beside each other, or as clouds of dots.
        ticks: what stands at 0, 1, 2, ... on the x axis, where places have names, or at the cells of a surface on both
            axes; () where x is a number.
        square: whether both axes are coordinates of a plane, of the same scale.
        share: whether heights are shares, from 0 to 1.
        x_label: what the x axis says instead of the figure's.
        moments: text to an x at which a dotted vertical line bears it.
        surface: what lies below the curves; the panel then shows its extent.
    """

    title: str
    metric: str
    curves: Mapping[str, Curve]
    marks: frozenset[str] = frozenset()
    y_label: str = ""
    levels: Mapping[str, float] = field(default_factory=dict)
    log: bool = False
    counted: bool = True
    form: Form = "lines"
    ticks: Sequence[str] = ()
    square: bool = False
    share: bool = False
    x_label: str = ""
    moments: Mapping[str, float] = field(default_factory=dict)
    surface: Surface | None = None


def metric_label(metric: str) -> str:
    """A metric as an axis has it: "test win rate" for test_battle_won_mean."""
    return metric.replace("battle_won", "win rate").removesuffix("_mean").replace("_", " ")


def draw(
    panels: Sequence[Panel],
    path: Path,
    *,
    x_label: str,
    caption: str,
    notes: Sequence[str] = (),
    title: str = "",
    columns: int | None = None,
    entries: Sequence[str] = (),
    same_colour: Mapping[str, str] | None = None,
) -> None:
    """Write a figure of `panels`, as many rows as metrics where they fit, to a file of one of `SUFFIXES`.

    Args:
        panels: in the order of reading; those of one metric share the y axis.
        path: the file.
        x_label: of the lowest row.
        caption: one line that says what lines and bands are.
        notes: small print below it.
        title: a line above the figure.
        columns: how many panels stand side by side; None leaves it to their number.
        entries: legend entries that have colours of their own, whether they are drawn or not, so that figures agree.
        same_colour: legend entry -> the one whose colour it shares; it is dashed.

    Raises:
        UserError: the file cannot be written.
    """
    columns, rows = _layout(panels) if columns is None else (columns, -(-len(panels) // columns))
    styles = styles_of(panels, entries, same_colour or {})
    points = max((len(curve.x) for panel in panels for curve in panel.curves.values()), default=0)
    stroke_width = 1.3 if points <= MAX_POINTS else 0.9  # thick lines of many points would run together
    width = max(3.3, PANEL[0] * columns)
    lines = small_print([caption, *notes], width)
    height = PANEL[1] * rows + 0.3 + 0.12 * len(lines) + (0.2 if title else 0)
    with styled(width, height) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel, styles, stroke_width)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        _label(grid.flat[: len(panels)], panels, columns, x_label)
        _explain(figure, grid.flat[: len(panels)], panels, columns, title)
        figure.supxlabel("\n".join(lines), fontsize=6.5, color="#555555", x=0.01, ha="left")
        write(figure, path)


@contextmanager
def styled(width: float, height: float) -> Iterator["Figure"]:
    """An empty figure of this size in inches, in the common style. No window is opened and no global list grows."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Text in SVG and PDF stays text, and no date makes two equal figures differ.
    with rc_context({"font.size": 8, "svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "cohort"}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def small_print(paragraphs: Sequence[str], inches: float) -> list[str]:
    """Lines that fit the figure's width, no more than fit below it."""
    lines = [line for text in paragraphs for line in textwrap.wrap(text, int(LETTERS * inches))]
    most = round(NOTES * max(1.0, NOTES_WIDTH / inches))
    return lines if len(lines) <= most else [*lines[: most - 1], "... more on the terminal"]


def _layout(panels: Sequence[Panel]) -> tuple[int, int]:
    """Columns and rows: one row per metric where its panels fit into a row, else rows filled one by one."""
    metrics = {panel.metric for panel in panels}
    maps = len(panels) // len(metrics)
    if len(panels) == maps * len(metrics) and maps <= WIDEST and len(metrics) > 1:
        return maps, len(metrics)
    columns = min(len(panels), WIDEST)
    return columns, -(-len(panels) // columns)


def styles_of(
    panels: Sequence[Panel], entries: Sequence[str] = (), same_colour: Mapping[str, str] | None = None
) -> dict[str, Style]:
    """Legend entry to colour and stroke, in the order of the entries; `entries` and `same_colour` as in `draw`.

    A whole line that would hide another one is dashed.
    """
    styles = _styles([*entries, *(label for panel in panels for label in panel.curves)], same_colour or {})
    hiding = dashes([panel.curves for panel in panels if panel.form == "lines"])
    return {
        label: (colour, (0.0, hiding[label]) if stroke == "-" and label in hiding else stroke)
        for label, (colour, stroke) in styles.items()
    }


def _styles(labels: Sequence[str], same_colour: Mapping[str, str]) -> dict[str, Style]:
    """Legend entry to colour and stroke, of all lines that lie apart."""
    own = [label for label in dict.fromkeys(labels) if label not in same_colour]
    styles = {
        label: (COLOURS[place % len(COLOURS)], STROKES[place // len(COLOURS) % len(STROKES)])
        for place, label in enumerate(own)
    }
    return styles | {
        label: (styles[other][0], "--") for label, other in same_colour.items() if other in styles
    }


def _draw_panel(axes: "Axes", panel: Panel, styles: Mapping[str, Style], stroke_width: float) -> None:
    if panel.surface is not None:
        _draw_surface(axes, panel.surface)
    for place, (label, curve) in enumerate(panel.curves.items()):
        entry = f"{label}{'*' if label in panel.marks else ''}"
        entry += f" ({len(curve.runs)})" if panel.counted else ""
        if panel.form == "bars":
            width = BARS / len(panel.curves)
            left = (place + 0.5) * width - BARS / 2
            _draw_bars(axes, curve, curve.x + left, width, styles[label], entry)
        elif panel.form == "dots":
            axes.scatter(
                curve.x, curve.centre, s=7, color=styles[label][0], alpha=0.7, linewidth=0, label=entry
            )
        else:
            spot = SPOT if panel.ticks else LONE_SPOT if len(curve.x) == 1 else 0.0
            _draw_line(axes, curve, styles[label], stroke_width, entry, spot)
    for text, height in panel.levels.items():
        below = height == min(panel.levels.values()) < max(panel.levels.values())
        axes.axhline(height, color="#333333", linewidth=0.8, linestyle="--")
        axes.annotate(
            text, (1, height), (-2, -2 if below else 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="top" if below else "bottom", fontsize=6.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.3},
        )  # fmt: skip
    for text, x in panel.moments.items():
        axes.axvline(x, color="#333333", linewidth=0.8, linestyle=":")
        axes.annotate(
            text, (x, 1), (2, -2), xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
            fontsize=6.5,
        )  # fmt: skip
    _scale(axes, panel)


def _draw_surface(axes: "Axes", surface: Surface) -> None:
    """Colours on both sides of 0, or from 0 on where nothing is below, with a bar that says which is how much."""
    most = float(np.abs(surface.z).max()) if surface.most is None else surface.most
    colours, least = ("RdBu", -most) if (surface.z < 0).any() else ("Blues", 0.0)
    mesh = axes.pcolormesh(
        surface.x, surface.y, surface.z, cmap=colours, vmin=least, vmax=most, rasterized=True
    )
    axes.figure.colorbar(mesh, ax=axes, label=surface.label, shrink=0.85)


def _draw_line(axes: "Axes", curve: Curve, style: Style, width: float, entry: str, spot: float) -> None:
    colour, stroke = style
    if not isinstance(stroke, str):  # a smaller spot leaves the one below it to be seen
        spot *= stroke[1][0] / sum(stroke[1])
    axes.plot(
        curve.x,
        curve.centre,
        color=colour,
        linestyle=stroke,
        linewidth=width,
        label=entry,
        marker="o" if spot else None,
        markersize=spot,
    )
    if curve.low is not None:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)


def _draw_bars(axes: "Axes", curve: Curve, x: np.ndarray, width: float, style: Style, entry: str) -> None:
    """Bars from 0, each with its band as a line; hatched where a line would be dashed."""
    colour, stroke = style
    hatch = None if stroke == "-" else "////"
    axes.bar(x, curve.centre, width, color=colour, label=entry, hatch=hatch, edgecolor="white", linewidth=0.5)
    if curve.low is not None:
        axes.vlines(x, curve.low, curve.high, color="#333333", linewidth=0.9)


def _scale(axes: "Axes", panel: Panel) -> None:
    """Limits, marks and numbers of both axes."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if panel.log:
        axes.set_yscale("log")
    if panel.share or "battle_won" in panel.metric:
        axes.set_ylim(-0.03, 1.03)
    if panel.surface is not None:
        axes.set_aspect("equal")
        axes.set_xlim(panel.surface.x[0], panel.surface.x[-1])
        axes.set_ylim(panel.surface.y[0], panel.surface.y[-1])
        if panel.ticks:
            axes.set_xticks((panel.surface.x[:-1] + panel.surface.x[1:]) / 2, panel.ticks)
            axes.set_yticks((panel.surface.y[:-1] + panel.surface.y[1:]) / 2, panel.ticks)
    elif panel.square:
        axes.set_aspect("equal", adjustable="datalim")
    elif panel.ticks:
        axes.set_xlim(-0.5, len(panel.ticks) - 0.5)
        axes.set_xticks(range(len(panel.ticks)), panel.ticks)
    else:
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: short_steps(steps)))
    if panel.form == "bars":
        axes.axhline(0, color="#333333", linewidth=0.6)
    if panel.surface is None:
        axes.grid(color="#e3e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _explain(
    figure: "Figure", grid: Sequence["Axes"], panels: Sequence[Panel], columns: int, title: str
) -> None:
    """The title, and the legend: one for the whole figure where its entries hold for all panels, else one in each.

    They hold for all panels where one panel has the entries of all others, or where entries do not count runs.
    """
    style = {"frameon": False, "fontsize": 6.5, "title_fontsize": 8, "handlelength": 1.4}
    legends = [axes.get_legend_handles_labels() for axes in grid]
    longest = max(legends, key=lambda legend: len(legend[1]))
    every = {entry: handle for legend in legends for handle, entry in zip(*legend, strict=True)}
    every = {entry: handle for entry, handle in every.items() if f"{entry}*" not in every}
    if not every:  # surfaces alone
        figure.suptitle(title, fontsize=8)
        return
    if len(every) > len(longest[1]) and not any(panel.counted for panel in panels):
        longest = (list(every.values()), list(every))
    if every and (len(grid) > 1 or panels[0].ticks) and len(every) == len(longest[1]):
        across = max(1, min(3 * columns, _fitting(longest[1], figure.get_figwidth())))
        figure.legend(*longest, loc="outside upper center", ncols=across, title=title or None, **style)
        further = -(-len(longest[1]) // across) - 1
        figure.set_figheight(figure.get_figheight() + LEGEND_ROW * further)
        return
    if title:
        figure.suptitle(title, fontsize=8)
    for axes, (handles, _) in zip(grid, legends, strict=True):
        if not handles:
            continue  # a surface alone
        axes.legend(borderaxespad=0.2, labelspacing=0.25, **style)


def _fitting(entries: Sequence[str], inches: float) -> int:
    """How many legend entries fit side by side, each with its line."""
    longest = max(len(entry.replace("$", "")) for entry in entries)
    return int(LETTERS * inches / (longest + LEGEND_LINE))


def _label(grid: Sequence["Axes"], panels: Sequence[Panel], columns: int, x_label: str) -> None:
    """Name each map once where rows are metrics; y at the left and where the metric changes, x where a column ends."""
    rows_are_metrics = len({panel.metric for panel in panels}) * columns == len(panels)
    for number, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
        if number < columns or not rows_are_metrics:
            axes.set_title(panel.title, fontsize=8)
        if number % columns == 0 or panels[number - 1].metric != panel.metric:
            axes.set_ylabel(panel.y_label or metric_label(panel.metric))
        if panel.x_label or number + columns >= len(panels):
            axes.set_xlabel(panel.x_label or x_label)


def write(figure: "Figure", path: Path) -> None:
    """Write a figure to a file of one of `SUFFIXES`.

    Raises:
        UserError: the file cannot be written.
    """
    kind = path.suffix.lower()
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(kind)
    write_file(path, lambda file: figure.savefig(file, format=kind[1:], dpi=200, metadata=metadata))
