"""The figures of AdaMa (Adaptive Learning Rates for Multi-Agent Reinforcement Learning, ICLR 2021 submission)."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from cohort.analysis.curves import Curve, Settings, make_curve
from cohort.analysis.figure import Panel
from cohort.analysis.plot import caption, unequal_lengths
from cohort.analysis.runs import AXES, Run
from papers.arms import Arm
from papers.figure_spec import FigureSpec
from papers.run_selector import RunSelector
from papers.wording import scenario

GOING_TOGETHER, NAVIGATION = "going_together", "cooperative_navigation"
PREDATOR_PREY, CLUSTERING = "predator_prey", "clustering"
SCENARIOS = (GOING_TOGETHER, NAVIGATION, PREDATOR_PREY, CLUSTERING)
# the methods by the paper's names, in the order of their colours -> --config
ADAMA, FIXED, ADAGRAD = "AdaMa", "Fixed lr", "AdaGrad"
DIRECTION = "Adaptive $l_a$ direction"
MAGNITUDE = r"Adaptive $l_c$ & $\|l_a\|$"
DIRECTION_2ND = "Adaptive $l_a$ direction (2nd)"
ADAMA_2ND = "AdaMa (2nd), not in the paper"
METHODS = {
    ADAMA: "adama",
    FIXED: "maddpg_fixed_lr",
    DIRECTION: "adama_direction",
    MAGNITUDE: "adama_magnitude",
    ADAGRAD: "maddpg_adagrad",
    DIRECTION_2ND: "adama_direction_2nd",
    ADAMA_2ND: "adama_2nd",
}
FIRST_ORDER = (ADAMA, FIXED, DIRECTION, MAGNITUDE, ADAGRAD)  # the lines of figure 3
# the best pair (l_c, n_a) of a search in these units, on seeds apart (README), where there was one
SEARCHED: Mapping[str, tuple[float, float]] = {
    GOING_TOGETHER: (0.010, 0.006),
    NAVIGATION: (0.009, 0.009),
    PREDATOR_PREY: (0.009, 0.003),
}
TUNED = "Fixed lr (searched)"
REWARD = "return_mean/ep_length_mean"
CONTRIBUTION = "critic_contribution"
NEAR = (0.8, 1.2)  # of m: figure 7's levels 40 and 60 about m = 50
OVER_SEEDS = Settings(x="episodes", aggregate="mean", band="std")
ONE_RUN = Settings(x="episodes", band="none")


@cache  # an arm reads its configuration files once
def arm(label: str, env_config: str, **typed: object) -> Arm:
    """A method by the paper's name, in a scenario."""
    return Arm(METHODS[label], env_config, typed)


def tuned(env_config: str) -> Arm:
    """Fixed rates at the best pair of the search."""
    critic, actors = SEARCHED[env_config]
    return arm(FIXED, env_config, critic_lr=critic, actor_lr_norm=actors)


def learning_curves(runs: Sequence[Run]) -> FigureSpec:
    """Figure 3: rewards in training, in all scenarios."""
    selector = RunSelector(runs)
    lines = [
        {label: selector.curve(label, arm(label, env_config), REWARD, OVER_SEEDS) for label in FIRST_ORDER}
        for env_config in SCENARIOS
    ]
    panels = [_rewards(selector, *each) for each in zip("abcd", SCENARIOS, lines, strict=True)]
    return _rewards_figure(selector, panels)


def second_order(runs: Sequence[Run]) -> FigureSpec:
    """Figure 6: rewards in training, with the second order. `adama_2nd` is not in the paper, so never missing."""
    selector, env_configs = RunSelector(runs), (GOING_TOGETHER, NAVIGATION)
    lines = [
        {
            label: selector.curve(label, arm(label, env_config), REWARD, OVER_SEEDS)
            for label in (*FIRST_ORDER, DIRECTION_2ND)
        }
        | {ADAMA_2ND: selector.curve(ADAMA_2ND, arm(ADAMA_2ND, env_config), REWARD, OVER_SEEDS, wanted=0)}
        for env_config in env_configs
    ]
    panels = [_rewards(selector, *each) for each in zip("ab", env_configs, lines, strict=True)]
    return _rewards_figure(selector, panels)


def directions(runs: Sequence[Run]) -> FigureSpec:
    """Figure 4: the share of each actor in the actors' rate, l_a,i / ||l_a||, in one run of each panel."""
    selector = RunSelector(runs)
    asked = [
        ("a", GOING_TOGETHER, DIRECTION),
        ("b", PREDATOR_PREY, DIRECTION),
        ("c", GOING_TOGETHER, DIRECTION_2ND),
        ("d", NAVIGATION, DIRECTION_2ND),
    ]
    panels = []
    for letter, env_config, label in asked:
        run = selector.one(label, arm(label, env_config), "actor_lr_agent_0/actor_lr_norm")
        if run is not None:
            order = " (2nd)" if label == DIRECTION_2ND else ""
            curves = {f"agent {i + 1}": f"actor_lr_agent_{i}/actor_lr_norm" for i in range(n_actors(run))}
            panels.append(
                _of_one_run(
                    run,
                    f"({letter}) {scenario(env_config)}{order}",
                    curves,
                    y_label=r"$l_{a,i} \,/\, \|l_a\|$",
                    levels={"all alike": n_actors(run) ** -0.5},
                )
            )
    return _one_run_figure(selector, panels)


def magnitudes(runs: Sequence[Run]) -> FigureSpec:
    """Figure 5: l_c and ||l_a||, in one run of each scenario."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("abcd", SCENARIOS, strict=True):
        run = selector.one(MAGNITUDE, arm(MAGNITUDE, env_config), "critic_lr")
        if run is not None:
            curves = {"$l_c$": "critic_lr", r"$\|l_a\|$": "actor_lr_norm"}
            title = f"({letter}) {scenario(env_config)}"
            panels.append(_of_one_run(run, title, curves, y_label="learning rate"))
    return _one_run_figure(selector, panels)


def scales(runs: Sequence[Run]) -> FigureSpec:
    """Figure 7: rewards in predator-prey with different m, and D over one run.

    The paper does not say in which of its methods m varies: `varied_methods` does.
    """
    selector = RunSelector(runs)
    varied = varied_methods(runs)
    panels = []
    for label in varied:
        lines: dict[str, Curve | None] = {}
        for m in wanted_scales(label, runs):
            lines[scale_entry(m)] = selector.curve(
                f"{label}, {scale_entry(m)}", arm(label, PREDATOR_PREY, adama_m=m), REWARD, OVER_SEEDS
            )
        lines[FIXED] = selector.curve(FIXED, arm(FIXED, PREDATOR_PREY), REWARD, OVER_SEEDS)
        panels.append(_rewards(selector, "a", PREDATOR_PREY, lines, f", {label}"))
    label, m = varied[0], middle_scale(varied[0], runs)
    run = selector.one(f"{label}, {scale_entry(m)}", arm(label, PREDATOR_PREY, adama_m=m), CONTRIBUTION)
    if run is not None:
        panels.append(_contribution(run, label))
        selector.notes.append(_share_near_m(run))
    entries = [entry for label in varied for entry in map(scale_entry, wanted_scales(label, runs))]
    return _rewards_figure(selector, panels, [*entries[:1], FIXED, *entries[1:]])


def varied_methods(runs: Sequence[Run]) -> list[str]:
    """The methods of which there are runs with several m; where there are none, the one that section 4.4 speaks of."""
    return [label for label in (ADAMA, MAGNITUDE) if len(recorded_scales(label, runs)) > 1] or [MAGNITUDE]


def recorded_scales(label: str, runs: Sequence[Run]) -> list[float | str]:
    """The values of m in predator-prey of which there are runs of a method that is otherwise as in the files."""
    base = arm(label, PREDATOR_PREY)
    mine = [run for run in runs if base.is_of(run) and set(base.departures(run)) <= {"adama_m"}]
    values = {run.config["adama_m"] for run in mine}
    return sorted(values, key=lambda m: (isinstance(m, str), m))


def wanted_scales(label: str, runs: Sequence[Run]) -> list[float | str]:
    """Those recorded and, where these are fewer than three, the files' m and what lies a fifth below and above."""
    recorded = recorded_scales(label, runs)
    m = arm(label, PREDATOR_PREY).published["adama_m"]
    if len(recorded) < 3 and not isinstance(m, str):
        recorded = [*recorded, *(each for each in (NEAR[0] * m, m, NEAR[1] * m) if each not in recorded)]
    return sorted(recorded, key=lambda m: (isinstance(m, str), m))


def middle_scale(label: str, runs: Sequence[Run]) -> float | str:
    """The files' m where it is among those wanted, else the middle one."""
    scales, m = wanted_scales(label, runs), arm(label, PREDATOR_PREY).published["adama_m"]
    return m if m in scales or not scales else scales[len(scales) // 2]


def scale_entry(m: float | str) -> str:
    return f"m = {m}" if isinstance(m, str) else f"m = {m:g}"


def n_actors(run: Run) -> int:
    """How many actors a run has rates for."""
    return sum(name.startswith("actor_lr_agent_") for name in run.recent_metrics)


def _rewards(
    selector: RunSelector, letter: str, env_config: str, lines: Mapping[str, Curve | None], more: str = ""
) -> Panel:
    curves = {label: curve for label, curve in lines.items() if curve is not None}
    return Panel(
        f"({letter}) {scenario(env_config)}{more}",
        REWARD,
        curves,
        selector.marks(env_config),
        "mean reward per step",
    )


def _rewards_figure(
    selector: RunSelector, panels: Sequence[Panel], entries: Sequence[str] = tuple(METHODS)
) -> FigureSpec:
    drawn = [panel for panel in panels if panel.curves]
    said = f"{caption(OVER_SEEDS)}; rewards in training; in brackets: runs"
    return selector.figure(drawn, AXES["episodes"], said, entries, unequal_lengths(drawn, OVER_SEEDS))


def _of_one_run(run: Run, title: str, metrics: Mapping[str, str], **more: object) -> Panel:
    curves = {label: make_curve({run.env: [run]}, metric, ONE_RUN) for label, metric in metrics.items()}
    drawn = {label: curve for label, curve in curves.items() if curve is not None}
    return Panel(title, next(iter(metrics.values())), drawn, counted=False, **more)


def _one_run_figure(selector: RunSelector, panels: Sequence[Panel]) -> FigureSpec:
    seeds = ", ".join(
        f"{panel.title[:3]} {curve.runs[0].seed}"
        for panel in panels
        for curve in list(panel.curves.values())[:1]
    )
    said = f"one run in each panel (seeds: {seeds}); each value is a mean over what was logged at a time"
    return selector.figure(panels, AXES["episodes"], said)


def _contribution(run: Run, label: str) -> Panel:
    m = run.last("adama_m")
    return _of_one_run(
        run,
        f"(b) {scenario(run.env)}, {label}",
        {f"seed {run.seed}": CONTRIBUTION},
        y_label=r"$D = |\langle \partial\delta / \partial\phi,\; \partial Q / \partial\phi \rangle|$",
        levels={f"{share:g} m = {share * m:g}": share * m for share in NEAR},
        log=True,
    )


def _share_near_m(run: Run) -> str:
    _, near = run.series("critic_contribution_near_m")
    updates = np.diff(run.series(CONTRIBUTION, "updates")[0])
    return (
        f"(b): each value is a mean over {np.median(updates):.0f} updates; "
        f"D was outside these levels in {100 * (1 - near.mean()):.0f} % of the updates"
    )
