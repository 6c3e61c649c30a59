"""Interactive curves: panels of `run.py plot` as figures of Plotly, in JSON."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cohort.analysis.curves import Curve, Settings, logged
from cohort.analysis.figure import COLOURS, STROKES, Panel, Style, metric_label, styles_of
from cohort.analysis.runs import AXES
from cohort.errors import UserError

DARK = ("#4ba3db", "#f0803c", "#2fc79b", "#e08cc0", "#f2b53a", "#8ccdf3", "#ffffff")  # `COLOURS` on black
NAMES = dict(zip(STROKES, ("solid", "dash", "dot", "dashdot"), strict=True))
WIDTH = 2.0  # pixels
POINTS = 500  # of a line
DIGITS = 6
INSTALL = "pip install -r requirements/report.txt (from an installed package: pip install 'cohort[report]')"


def require_plotly() -> None:
    """Raises `UserError` where Plotly is not installed."""
    try:
        import plotly  # noqa: F401
    except ImportError:
        raise UserError(f"run.py report draws with Plotly, which is not installed. Type: {INSTALL}") from None


def library() -> str:
    """Plotly's JavaScript."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def charts(panels: Sequence[Panel], settings: Settings) -> list[str]:
    """A figure for each panel: JSON that may stand inside a `<script>`."""
    import plotly.graph_objects as go

    styles = styles_of(panels)
    return [
        go.Figure(traces(panel, styles, settings), layout(panel, settings), skip_invalid=False).to_json()
        for panel in panels
    ]


def palette() -> str:
    """The colours of both schemes, for the page's script."""
    return json.dumps({"light": COLOURS, "dark": DARK})


def traces(panel: Panel, styles: Mapping[str, Style], settings: Settings) -> list[dict[str, Any]]:
    """For each curve its band, its runs and itself; `meta` says which, and the number of its colour."""
    found: list[dict[str, Any]] = []
    for label, curve in panel.curves.items():
        colour, stroke = styles[label]
        entry = html.escape(f"{label}{'*' if label in panel.marks else ''} ({len(curve.runs)})")
        whole = (
            NAMES[stroke] if isinstance(stroke, str) else ",".join(f"{WIDTH * on:g}px" for on in stroke[1])
        )
        common = {"type": "scatter", "mode": "lines", "legendgroup": entry, "name": entry}
        number = COLOURS.index(colour)
        if curve.low is not None and curve.high is not None:
            found.append(
                common
                | {"x": _numbers([*curve.x, *curve.x[::-1]]), "y": _numbers([*curve.low, *curve.high[::-1]])}
                | {"fill": "toself", "fillcolor": colour, "opacity": 0.2, "line": {"width": 0}}
                | {"hoverinfo": "skip", "showlegend": False, "meta": {"part": "band", "colour": number}}
            )
        if len(curve.runs) > 1:
            for run in curve.runs:
                x, y = _thinned(*logged(run, panel.metric, settings))
                found.append(
                    common
                    | {"x": _numbers(x), "y": _numbers(y), "line": {"width": 1, "color": colour}}
                    | {"opacity": 0.5, "showlegend": False, "visible": False}
                    | {"hovertemplate": "%{meta.run}: %{y:.4g}<extra></extra>"}
                    | {"meta": {"part": "run", "colour": number, "run": html.escape(run.name)}}
                )
        found.append(_centre(common, curve, whole, colour, number))
    return found


def _centre(common: dict[str, Any], curve: Curve, dash: str, colour: str, number: int) -> dict[str, Any]:
    shown = _thinned(curve.x, curve.centre)
    lone = {"mode": "markers", "marker": {"size": 9, "color": colour}} if len(curve.x) == 1 else {}
    return (
        common
        | {"x": _numbers(shown[0]), "y": _numbers(shown[1])}
        | {
            "line": {"width": WIDTH, "dash": dash, "color": colour},
            "meta": {"part": "centre", "colour": number},
        }
        | {"hovertemplate": "%{fullData.name}: %{y:.4g}<extra></extra>"}
        | lone
    )


def layout(panel: Panel, settings: Settings) -> dict[str, Any]:
    """Axes and legend; the page's script adds the colours of the scheme."""
    share = {"range": [-0.03, 1.03]} if "battle_won" in panel.metric else {}
    return {
        "template": "none",
        "xaxis": {"title": {"text": AXES[settings.x]}, "rangemode": "tozero", "hoverformat": ".4s"}
        | ({} if settings.x == "wall" else {"tickformat": "~s"}),
        "yaxis": {"title": {"text": html.escape(metric_label(panel.metric))}, "zeroline": False, **share},
        "margin": {"l": 64, "r": 12, "t": 8, "b": 48},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        "showlegend": True,
        "hovermode": "x unified",
        "uirevision": "kept",
    }


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `POINTS` of a line's points, its ends among them."""
    if len(x) <= POINTS:
        return x, y
    kept = np.linspace(0, len(x) - 1, POINTS).round().astype(int)
    return x[kept], y[kept]


def _numbers(values: Sequence[float] | np.ndarray) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values]
