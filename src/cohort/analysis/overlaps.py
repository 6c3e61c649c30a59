"""Curves that lie on each other, and dashes that let all of them be seen."""

from collections.abc import Mapping, Sequence

import numpy as np

from cohort.analysis.curves import Curve

NEAR = 0.01  # of the panel's height: about the width of a line
SHARE = 0.25  # of two curves' common points that are near: from there on, one would hide the other
UNIT = 3.0  # the shortest dash, in widths of the line

Dashes = tuple[float, float]  # drawn and empty, in widths of the line


def dashes(panels: Sequence[Mapping[str, Curve]]) -> dict[str, Dashes]:
    """Legend entry -> dashes, for those curves that would hide a curve drawn before them in one of `panels`.

    Of k curves on each other the first is whole, and each further one leaves a longer gap in the same period of k
    units: where all of them coincide, each shows in one unit.
    """
    layers: dict[str, int] = {}
    for curves in panels:
        height = _height(curves)
        for place, (label, curve) in enumerate(curves.items()):
            below = [
                layers.get(other, 0)
                for other, drawn in list(curves.items())[:place]
                if _coincide(drawn, curve, NEAR * height)
            ]
            layers[label] = max(layers.get(label, 0), max(below, default=-1) + 1)
    count = max(layers.values(), default=0) + 1
    return {label: ((count - layer) * UNIT, layer * UNIT) for label, layer in layers.items() if layer}


def _height(curves: Mapping[str, Curve]) -> float:
    """From the lowest point of the panel to its highest."""
    ends = [
        end[np.isfinite(end)]
        for curve in curves.values()
        for end in (curve.centre, curve.low, curve.high)
        if end is not None
    ]
    points = np.concatenate(ends) if ends else np.zeros(0)
    return float(np.ptp(points)) if len(points) else 0.0


def _coincide(one: Curve, other: Curve, near: float) -> bool:
    """Whether two curves are near each other on enough of the points where both of them are."""
    x = np.union1d(one.x, other.x)
    x = x[(x >= max(one.x[0], other.x[0])) & (x <= min(one.x[-1], other.x[-1]))]
    if not len(x):
        return False
    apart = np.abs(np.interp(x, one.x, one.centre) - np.interp(x, other.x, other.centre))
    return bool((apart <= near).mean() >= SHARE)
