"""MAMT's figures 2 to 5, 8 and 9."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cohort.analysis.curves import Curve, Settings, make_curve, over_places
from cohort.analysis.figure import Panel, Surface
from cohort.analysis.plot import caption
from cohort.analysis.runs import AXES, Run
from papers.evidence import late
from papers.figure_spec import FigureSpec
from papers.mamt.arms import (
    AGENTS,
    DECOMPOSED,
    FEW,
    IN_CURVES,
    IN_DECOMPOSITION,
    LOLA,
    MAAC,
    MAMT,
    METHODS,
    TASKS,
    TITLES,
    agents,
    of,
    pairs,
    plays,
)
from papers.run_selector import RunSelector

RETURN = "test_return_mean"
KL, NON_STATIONARITY = "kl_agent_*", "d_ns"
TRUST_REGION, COORDINATION, ATTENTION = "trust_region_agent", "coordination", "attention"
CLIP = {"least": 0.01, "greatest": 100.0}  # of trust regions
SMOOTHED = Settings(x="episodes", aggregate="mean", band="std", smooth=11)  # as appendix G.2 has it
OVER_SEEDS = Settings(x="episodes", aggregate="mean", band="std")
RANGE = Settings(x="episodes", aggregate="mean", band="range")
OVER_A_RUN = "bars: mean over a run, then over runs; lines: the standard deviation over a run, mean over runs"


def learning_curves(runs: Sequence[Run]) -> FigureSpec:
    """Figure 2: returns of an agent in the greedy tests; LOLA in Spread, as table 10 has it."""
    return _curves(RunSelector(runs), TASKS, (*IN_CURVES, LOLA))


def decompositions(runs: Sequence[Run]) -> FigureSpec:
    """Figure 8: no trust region, equal ones, and equal ones of those agents that depend on each other."""
    return _curves(RunSelector(runs), DECOMPOSED, IN_DECOMPOSITION)


def divergence(runs: Sequence[Run]) -> FigureSpec:
    """Figure 3: for each task the mean over agents of KL(pi_i || pi_i^old), and MAMT's D_ns."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("abcd", TASKS, strict=True):
        found = {label: of(selector, label, env_config) for label in (MAAC, MAMT)}
        moved = {label: _drawn(mine, env_config, KL) for label, mine in found.items()}
        unsteady = {MAMT: _drawn(found[MAMT], env_config, NON_STATIONARITY)}
        title, marks = f"({letter}) {TITLES[env_config]}", selector.marks(env_config)
        panels += [
            Panel(f"{title}: KL", f"KL {env_config}", _there(moved), marks, "mean KL of an agent"),
            Panel(
                f"{title}: $D_{{ns}}$",
                f"D_ns {env_config}",
                _there(unsteady),
                marks,
                "$D_{ns}$ of all agents",
            ),
        ]
    return _figure(selector, panels, AXES["episodes"], caption(OVER_SEEDS), tuple(METHODS))


def trust_regions(runs: Sequence[Run]) -> FigureSpec:
    """Figure 4: each agent's trust region, its mean over the run, and how much it changes in it."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("abcd", TASKS, strict=True):
        mine = of(selector, MAMT, env_config)
        names = [f"{TRUST_REGION}_{i}" for i in agents(env_config)]
        curve = _over_a_run(mine, names, least=CLIP["least"])
        ticks = [str(i + 1) for i in agents(env_config)]
        panels.append(
            Panel(
                f"({letter}) {TITLES[env_config]}", TRUST_REGION, _there({MAMT: curve}),
                selector.marks(env_config), "trust region", CLIP, log=True, ticks=ticks, x_label="agent",
            )
        )  # fmt: skip
    said = "dots: mean over a run, then over runs; bands: the standard deviation over a run, mean over runs"
    return _figure(selector, panels, "agent", said, tuple(METHODS))


def trust_regions_in_time(runs: Sequence[Run]) -> FigureSpec:
    """Each agent's trust region over episodes, on the axis of figure 4."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("abcd", TASKS, strict=True):
        mine = of(selector, MAMT, env_config)
        lines = {
            f"agent {i + 1}": _drawn(mine, env_config, f"{TRUST_REGION}_{i}", RANGE)
            for i in agents(env_config)
        }
        title, marks = f"({letter}) {TITLES[env_config]}", selector.marks(env_config)
        panels.append(
            Panel(
                title, TRUST_REGION, _there(lines), marks, "trust region", CLIP, log=True, counted=False
            )
        )  # fmt: skip
    return _figure(selector, panels, AXES["episodes"], caption(RANGE), counted=False)


def coordination(runs: Sequence[Run]) -> FigureSpec:
    """Figure 5: C_ij of each pair; where there are many agents as two maps, the mean and the deviation over a run."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("abcd", TASKS, strict=True):
        mine, title = of(selector, MAMT, env_config), f"({letter}) {TITLES[env_config]}"
        if AGENTS[env_config] > FEW:
            panels += _maps(title, mine, env_config)
            continue
        curve = _over_a_run(mine, [f"{COORDINATION}_{i}_{j}" for i, j in pairs(env_config)])
        panels.append(
            Panel(
                title, COORDINATION, _there({MAMT: curve}), selector.marks(env_config), "$C_{ij}$",
                form="bars", ticks=_pair_ticks(env_config), share=True, x_label="$ij$",
            )
        )  # fmt: skip
    return _figure(selector, panels, "", OVER_A_RUN, tuple(METHODS))


def attention(runs: Sequence[Run]) -> FigureSpec:
    """Figure 9: whom the critic of each agent attends to at the end, the mean over heads."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("abc", DECOMPOSED, strict=True):
        curves = {}
        for label in IN_DECOMPOSITION:
            mine = of(selector, label, env_config)
            weights = {
                place: _numbers(mine, late(f"{ATTENTION}_{i}_{j}"))
                for place, (i, j) in enumerate(pairs(env_config))
            }
            curves[label] = over_places(weights, OVER_SEEDS)
        panels.append(
            Panel(
                f"({letter}) {TITLES[env_config]}", ATTENTION, _there(curves), selector.marks(env_config),
                "attention weight", {"equal": 0.5}, form="bars", ticks=_pair_ticks(env_config), share=True,
            )
        )  # fmt: skip
    said = f"the last tenth of the episodes; {caption(OVER_SEEDS)}"
    return _figure(selector, panels, "$ij$: of agent $i$ to agent $j$", said, tuple(METHODS))


def _curves(selector: RunSelector, env_configs: Sequence[str], labels: Sequence[str]) -> FigureSpec:
    panels = []
    for letter, env_config in zip("abcd", env_configs, strict=False):
        found = {
            label: _of_an_agent(of(selector, label, env_config), env_config)
            for label in labels
            if plays(label, env_config)
        }
        panels.append(
            Panel(
                f"({letter}) {TITLES[env_config]}", f"{RETURN} {env_config}", _there(found),
                selector.marks(env_config), "test return of an agent",
            )
        )  # fmt: skip
    return _figure(selector, panels, AXES["episodes"], caption(SMOOTHED), tuple(METHODS))


def _of_an_agent(runs: Sequence[Run], env_config: str) -> Curve | None:
    """The mean return of an agent: what is logged is the sum over agents."""
    curve, n = _drawn(runs, env_config, RETURN, SMOOTHED), AGENTS[env_config]
    if curve is None:
        return None
    low, high = (None if end is None else end / n for end in (curve.low, curve.high))
    return replace(curve, centre=curve.centre / n, low=low, high=high)


def _drawn(
    runs: Sequence[Run], env_config: str, metric: str, settings: Settings = OVER_SEEDS
) -> Curve | None:
    return make_curve({env_config: runs}, metric, settings) if runs else None


def _over_a_run(runs: Sequence[Run], metrics: Sequence[str], least: float = -np.inf) -> Curve | None:
    """One place for each metric: its mean over a run, and the deviation over a run on both sides; not below `least`."""
    mean, deviation = _statistic(runs, metrics, np.mean), _statistic(runs, metrics, np.std)
    if np.isnan(mean).any():
        return None
    low = np.maximum(mean - deviation, least)
    return Curve(tuple(runs), np.arange(len(mean)), mean, low, mean + deviation, float(len(mean) - 1))


def _statistic(runs: Sequence[Run], metrics: Sequence[str], of_values: Callable) -> np.ndarray:
    """[K] the mean over runs of a statistic of what each run has logged of each metric; NaN where none has."""
    logged = [[run.series(metric)[1] for run in runs] for metric in metrics]
    return np.array([np.mean([of_values(each) for each in mine if len(each)] or [np.nan]) for mine in logged])


def _maps(title: str, runs: Sequence[Run], env_config: str) -> list[Panel]:
    """Two maps of all pairs, i from below to above and j from left to right; none where nothing is there."""
    every, n = pairs(env_config), AGENTS[env_config]
    edges, ticks, panels = np.arange(n + 1) + 0.5, [str(i + 1) for i in range(n)], []
    for said, of_values in (("mean", np.mean), ("deviation", np.std)):
        values = _statistic(runs, [f"{COORDINATION}_{i}_{j}" for i, j in every], of_values)
        heights = np.zeros((n, n))
        heights[tuple(np.array(every).T)] = values
        if np.isfinite(heights).all():
            surface = Surface(edges, edges, heights, "$C_{ij}$")
            panels.append(
                Panel(
                    f"{title}, {said}",
                    f"{said} {env_config}",
                    {},
                    y_label="$i$",
                    ticks=ticks,
                    x_label="$j$",
                    surface=surface,
                )
            )
    return panels


def _numbers(runs: Sequence[Run], reading: Callable) -> dict[Run, float]:
    """What a reading has of each run."""
    values = {run: reading(run, run.episode or 0.0) for run in runs}
    return {run: value for run, value in values.items() if value is not None}


def _pair_ticks(env_config: str) -> list[str]:
    return [f"{i + 1}{j + 1}" for i, j in pairs(env_config)]


def _there(curves: Mapping[str, Curve | None]) -> dict[str, Curve]:
    return {label: curve for label, curve in curves.items() if curve is not None}


def _figure(
    selector: RunSelector,
    panels: Sequence[Panel],
    x_label: str,
    said: str,
    entries: Sequence[str] = (),
    *,
    counted: bool = True,
) -> FigureSpec:
    drawn = [panel for panel in panels if panel.curves or panel.surface is not None]
    return selector.figure(drawn, x_label, f"{said}{'; in brackets: runs' * counted}", entries)
