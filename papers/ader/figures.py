"""ADER's figures 2 to 5."""

from collections.abc import Mapping, Sequence

from cohort.analysis.curves import Curve, Settings, make_curve
from cohort.analysis.figure import Panel
from cohort.analysis.plot import caption
from cohort.analysis.runs import AXES, Run
from papers.ader.arms import (
    ADER,
    CHEETAH,
    EASY,
    GAME,
    HARD,
    HUNT,
    IN_ABLATION,
    IN_CONTINUOUS,
    IN_GAME,
    IN_SMAC,
    METHODS,
    REAL,
    SEEDS,
    SIMULATED,
    arm,
    on_map,
)
from papers.ader.junction import ENTROPIES, junction, mean_junction
from papers.arms import Arm
from papers.figure_spec import FigureSpec
from papers.run_selector import RunSelector

RETURN, WIN_RATE = "test_return_mean", "test_battle_won_mean"
REWARD = "test_return_mean/test_ep_length_mean"  # of a joint action: 5 at most, however long an episode is
OVER_SEEDS = Settings(aggregate="mean", band="std")
TITLES = {CHEETAH: "6x1 HalfCheetah", HUNT: "H-PP"}
FAST_PREY = {"env_args.prey_force_scale": 4.0}  # prey that are as fast as the paper says


def matrix_game(runs: Sequence[Run]) -> FigureSpec:
    """Figure 2: (a) the reward of the tested joint action; (b) ADER's target entropies, and when it turns."""
    selector = RunSelector(runs)
    ader = selector.of(ADER, arm(ADER, GAME), SEEDS["2"])
    turned = mean_junction(ader)
    moments = {} if turned is None else {"junction": turned}
    rewards = _drawn(_curves(selector, {label: arm(label, GAME) for label in IN_GAME}, REWARD, SEEDS["2"]))
    entropies = _drawn(
        {
            f"$\\mathcal{{H}}_{agent}$": make_curve({GAME: ader}, metric, OVER_SEEDS)
            for agent, metric in enumerate(ENTROPIES, start=1)
        }
        if ader
        else {}
    )
    marks = selector.marks(GAME)
    panels = [
        Panel("(a) matrix game", REWARD, rewards, marks, "test reward of a step", moments=moments),
        Panel(
            "(b) ADER's target entropies", ENTROPIES[0], entropies, y_label="target entropy", moments=moments
        ),
    ]
    if ader:
        there = sum(junction(run) is not None for run in ader)
        selector.notes.append(
            f"dotted: the mean time at which the tested actions of ADER are first within 0.05 of the corner "
            f"({there} of {len(ader)} runs get there)"
        )
    return _figure(selector, panels)


def smac(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure 3: win rates of the tested policies on eight maps."""
    return _on_maps(RunSelector(runs), env_config, (*EASY, *HARD), IN_SMAC, SEEDS["3"])


def ablation(runs: Sequence[Run], env_config: str = SIMULATED) -> FigureSpec:
    """Figure 5: what each part of ADER brings, on the hard maps; the paper's text does not name its own."""
    return _on_maps(RunSelector(runs), env_config, HARD, IN_ABLATION, SEEDS["5"])


def smac_sc2(runs: Sequence[Run]) -> FigureSpec:
    """Figure 3 in the real game."""
    return smac(runs, REAL)


def ablation_sc2(runs: Sequence[Run]) -> FigureSpec:
    """Figure 5 in the real game."""
    return ablation(runs, REAL)


def continuous(runs: Sequence[Run]) -> FigureSpec:
    """Figure 4: returns of the tested policies; with fast prey only where there are runs, as it is not asked for."""
    selector, panels = RunSelector(runs), []
    for letter, env_config in zip("ab", (CHEETAH, HUNT), strict=True):
        arms = {label: arm(label, env_config) for label in IN_CONTINUOUS}
        curves = _drawn(_curves(selector, arms, RETURN, SEEDS["4"]))
        panels.append(
            Panel(
                f"({letter}) {TITLES[env_config]}", RETURN, curves, selector.marks(env_config), "test return"
            )
        )
    fast = {label: arm(label, HUNT, **FAST_PREY) for label in IN_CONTINUOUS}
    curves = _drawn(_curves(RunSelector(runs), fast, RETURN, wanted=0))
    panels.append(Panel("H-PP, fast prey", "fast prey", curves, y_label="test return"))
    return _figure(selector, panels)


def _on_maps(
    selector: RunSelector, env_config: str, maps: Sequence[str], labels: Sequence[str], seeds: int
) -> FigureSpec:
    panels = []
    for letter, map_name in zip("abcdefgh", maps, strict=False):
        found = {label: on_map(selector, label, env_config, map_name, seeds) for label in labels}
        curves = {
            label: make_curve({map_name: mine}, WIN_RATE, OVER_SEEDS) for label, mine in found.items() if mine
        }
        panels.append(Panel(f"({letter}) {map_name}", WIN_RATE, _drawn(curves), selector.marks(env_config)))
    return _figure(selector, panels)


def _curves(
    selector: RunSelector, arms: Mapping[str, Arm], metric: str, wanted: int
) -> dict[str, Curve | None]:
    return {label: selector.curve(label, each, metric, OVER_SEEDS, wanted) for label, each in arms.items()}


def _drawn(curves: Mapping[str, Curve | None]) -> dict[str, Curve]:
    return {label: curve for label, curve in curves.items() if curve is not None}


def _figure(selector: RunSelector, panels: Sequence[Panel]) -> FigureSpec:
    drawn = [panel for panel in panels if panel.curves]
    said = f"{caption(OVER_SEEDS)}; tested policies; in brackets: runs"
    return selector.figure(drawn, AXES["steps"], said, tuple(METHODS))
