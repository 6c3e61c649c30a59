"""The continuous matrix game's reward as a picture (figure 1)."""

import numpy as np
import torch

from cohort.analysis.curves import Curve
from cohort.analysis.figure import Panel, Surface
from cohort.configuration import files
from cohort.envs.continuous_matrix_game import CENTRE, CORNER, RADIUS, game_reward
from papers.ader.arms import GAME
from papers.figure_spec import FigureSpec

GRID = 400  # places along an axis


def surface() -> FigureSpec:
    """Figure 1: the reward of every joint action, and of those around the path."""
    arguments = files.read(files.find("--env-config", GAME))["env_args"]
    c, w = arguments["c"], arguments["w"]
    path = {
        "the middle of the path": _curve(np.array([0, CORNER, CORNER]), np.array([0, 0, CENTRE[1] - RADIUS])),
        "the circle": _circle(),
    }
    panels = [
        Panel(
            title,
            "reward",
            path,
            counted=False,
            square=True,
            surface=_rewards(low, high, c, w),
            y_label="$a_2$",
        )
        for title, low, high in (("all joint actions", -1.0, 1.0), ("around the path", -0.15, 0.75))
    ]
    said = (
        f"on the path 5 g / 1.2 after the way g, in the circle 5 at its centre, elsewhere {-c:g} times the distance "
        f"to (0, 0); half the path's width is {w:g}"
    )
    return FigureSpec(panels, "$a_1$", said, tuple(path))


def _rewards(low: float, high: float, c: float, w: float) -> Surface:
    axis = torch.linspace(low, high, GRID, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return Surface(axis.numpy(), axis.numpy(), game_reward(x, y, c, w).numpy(), "reward")


def _circle() -> Curve:
    angle = np.linspace(0, 2 * np.pi, 60)
    return _curve(CENTRE[0] + RADIUS * np.cos(angle), CENTRE[1] + RADIUS * np.sin(angle))


def _curve(x: np.ndarray, y: np.ndarray) -> Curve:
    return Curve((), x, y, None, None, float(x[-1]))
