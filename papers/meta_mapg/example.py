"""Meta-MAPG's example 1 (appendix F, figure 8): learners that ignore that others learn."""

import numpy as np

from cohort.analysis.curves import Curve
from cohort.analysis.figure import Panel
from cohort.chains.zero_sum import path
from papers.figure_spec import FigureSpec
from papers.meta_mapg.arms import META_MAPG, META_PG

STEP, LOOK, STEPS = 0.1, 0.3, 100  # not in the paper
RULES = {META_MAPG: "meta_mapg", "LOLA": "lola", "plain gradients": "gradient"}
ENTRIES = (META_MAPG, META_PG, "LOLA", "plain gradients")  # the colours of figure 2
DRAWN = ("plain gradients", "LOLA", META_MAPG)  # the last lies on top


def paths() -> FigureSpec:
    """Figure 8: learning paths of two agents that both follow the same rule, and their distance to the equilibrium."""
    walked = {name: path(RULES[name], step=STEP, look=LOOK, steps=STEPS).numpy() for name in DRAWN}
    plane = {name: _curve(points[:, 0], points[:, 1]) for name, points in walked.items()}
    distance = {name: _curve(np.arange(STEPS + 1.0), np.hypot(*points.T)) for name, points in walked.items()}
    panels = [
        Panel(
            "learning paths", "path", plane, y_label=r"$\phi^j$", x_label=r"$\phi^i$", counted=False, square=True
        ),
        Panel(
            "distance to the equilibrium", "distance", distance, y_label=r"$\|(\phi^i, \phi^j)\|$",
            x_label="updates", counted=False, log=True,
        ),
    ]  # fmt: skip
    said = (
        f"$V^i = \\phi^i \\phi^j$, $V^j = -\\phi^i \\phi^j$, from (1, 1): {STEPS} updates of both at a time, step "
        f"{STEP:g}; LOLA and Meta-MAPG (L = 1) look ahead to updates of step {LOOK:g}, and take nearly the same path"
    )
    return FigureSpec(panels, "", said, ENTRIES)


def _curve(x: np.ndarray, y: np.ndarray) -> Curve:
    return Curve((), x, y, None, None, float(x[-1]))
