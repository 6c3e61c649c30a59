"""MNMPG's figures of win rates: 2, 4, 5, B.1 and B.2, and the controls that the paper lacks."""

from collections.abc import Sequence
from functools import partial

from cohort.analysis.curves import Settings, make_curve
from cohort.analysis.figure import Panel
from cohort.analysis.plot import caption
from cohort.analysis.runs import AXES, Run
from papers.figure_spec import FigureSpec
from papers.mnmpg.arms import (
    ABLATED,
    ABLATION_SEEDS,
    CONTROL_MAPS,
    CONTROLS,
    EASY,
    FIGURE_2,
    HARD,
    IN_ABLATION,
    IN_ROLES,
    METHODS,
    REAL,
    ROLES,
    SEEDS,
    SIMULATED,
    compared,
    on_map,
)
from papers.run_selector import RunSelector

WIN_RATE = "test_battle_won_mean"
MEDIAN = Settings(aggregate="median", band="range")  # figures 2, 4, B.1 and B.2
MEAN = Settings(aggregate="mean", band="range")  # figure 5


def super_hard(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure 2."""
    return _on_maps(runs, FIGURE_2, env_config)


def hard(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure B.1."""
    return _on_maps(runs, HARD, env_config)


def easy(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure B.2."""
    return _on_maps(runs, EASY, env_config)


def roles(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure 4: corridor, with RODE's utilities."""
    selector = RunSelector(runs)
    panel = _panel(selector, ROLES, ROLES, IN_ROLES, SEEDS, MEDIAN, env_config)
    return _figure(selector, [panel], MEDIAN)


def ablation(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure 5: (a) a larger mixer alone, (b) what the hierarchy learns from and what is mixed by, (c) sizes."""
    selector = RunSelector(runs)
    panels = [
        _panel(selector, f"({letter}) {ABLATED}", ABLATED, labels, ABLATION_SEEDS, MEAN, env_config)
        for letter, labels in zip("abc", IN_ABLATION, strict=True)
    ]
    return _figure(selector, panels, MEAN)


def controls(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """MNMPG beside its schedule without a gradient, a gradient of mean zero, and neither, with both mixers.

    Where these agree, the meta gradient is not what helps.
    """
    selector = RunSelector(runs)
    panels = [
        _panel(selector, f"({letter}) {each}", each, CONTROLS, ABLATION_SEEDS, MEAN, env_config)
        for letter, each in zip("abc", CONTROL_MAPS, strict=True)
    ]
    return _figure(selector, panels, MEAN)


super_hard_sc2, hard_sc2, easy_sc2, roles_sc2, ablation_sc2 = (
    partial(each, env_config=REAL) for each in (super_hard, hard, easy, roles, ablation)
)


def _on_maps(runs: Sequence[Run], maps: Sequence[str], env_config: str) -> FigureSpec:
    selector = RunSelector(runs)
    panels = [
        _panel(selector, f"({letter}) {each}", each, compared(each), SEEDS, MEDIAN, env_config)
        for letter, each in zip("abcdef", maps, strict=False)
    ]
    return _figure(selector, panels, MEDIAN)


def _panel(
    selector: RunSelector,
    title: str,
    map_name: str,
    labels: Sequence[str],
    wanted: int,
    settings: Settings,
    env_config: str,
) -> Panel:
    found = {label: on_map(selector, label, map_name, wanted, env_config) for label in labels}
    drawn = {label: make_curve({map_name: mine}, WIN_RATE, settings) for label, mine in found.items() if mine}
    curves = {label: curve for label, curve in drawn.items() if curve is not None}
    return Panel(title, WIN_RATE, curves, selector.marks(env_config))


def _figure(selector: RunSelector, panels: Sequence[Panel], settings: Settings) -> FigureSpec:
    drawn = [panel for panel in panels if panel.curves]
    said = f"{caption(settings)}; tested policies; in brackets: runs"
    return selector.figure(drawn, AXES["steps"], said, tuple(METHODS))
