"""The learning curve of one run as a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cohort.recording.files import replace_atomically
from cohort.recording.metrics import Record, read_metrics, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class _Panel:
    """One pair of axes: a metric in evaluation, and the same in training behind it."""

    label: str
    test: str
    train: str


_PANELS = (
    _Panel("win rate", "test_battle_won_mean", "battle_won_mean"),
    _Panel("return", "test_return_mean", "return_mean"),
)


def draw_curve(metrics_path: Path, png_path: Path, title: str, *, report: Callable[[str], None]) -> bool:
    """Draw win rate and return, where the run has them, over environment steps.

    A picture is never worth a run: whatever goes wrong is reported and False is returned.
    """
    try:
        _draw(read_metrics(metrics_path), png_path, title)
        return True
    except Exception as error:
        report(f"The learning curve was not drawn ({type(error).__name__}: {error}).")
        return False


def _draw(records: Sequence[Record], png_path: Path, title: str) -> None:
    # The classes behind pyplot: no window system, and no global figure that someone else may have open.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = {name for record in records for name in record.metrics}
    panels = [panel for panel in _PANELS if panel.test in names or panel.train in names] or [_PANELS[-1]]
    figure = Figure(figsize=(7.5, 0.9 + 3.1 * len(panels)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_panel(axes, panel, records)
    all_axes[-1].set_xlabel("environment steps")
    figure.suptitle(title, fontsize=11)
    replace_atomically(png_path, lambda file: figure.savefig(file, format="png"))


def _draw_panel(axes: "Axes", panel: _Panel, records: Sequence[Record]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for name, label, style in (
        (panel.train, "training", {"color": "#9aa7b5", "linewidth": 0.9, "zorder": 1}),
        (panel.test, "test", {"color": "#1f5fa8", "linewidth": 1.8, "zorder": 2}),
    ):
        steps, values = series(records, name)
        if len(steps):
            # A single value is no line: it needs a marker to be seen.
            marker = "o" if len(steps) == 1 or (label == "test" and len(steps) <= 30) else None
            axes.plot(steps, values, label=label, marker=marker, markersize=3.5, **style)
    if axes.lines:
        axes.legend(loc="best", frameon=False, fontsize=9)
        axes.set_xlim(left=0, right=max(1.0, 1.02 * max(record.t_env for record in records)))
    else:
        axes.text(0.5, 0.5, "no values yet", transform=axes.transAxes, ha="center", color="#66707a")
        axes.set_xlim(0, 1)
    if panel.label == "win rate":
        axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel(panel.label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: short_steps(steps)))
    axes.grid(color="#e3e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def short_steps(steps: float) -> str:
    """Environment steps as people say them: 500, 50k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(steps) >= size:
            return f"{steps / size:.4g}{letter}"
    return f"{steps:.4g}"
