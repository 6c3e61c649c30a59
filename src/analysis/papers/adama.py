"""The figures of AdaMa (Adaptive Learning Rates for Multi-Agent Reinforcement Learning, ICLR 2021 submission)."""

from collections.abc import Mapping, Sequence

from src.analysis.curves import Settings
from src.analysis.figure import Panel
from src.analysis.papers.arms import Arm
from src.analysis.papers.sheets import Desk, Sheet, scenario
from src.analysis.plot import caption, unequal_lengths
from src.analysis.runs import AXES, Run

SCENARIOS = ("going_together", "cooperative_navigation", "predator_prey", "clustering")
DIRECTION = "Adaptive $l_a$ direction"
MAGNITUDE = r"Adaptive $l_c$ & $\|l_a\|$"
DIRECTION_2ND = "Adaptive $l_a$ direction (2nd)"
# the paper's names of the methods -> --config
METHODS = {
    "AdaMa": "adama",
    "Fixed lr": "maddpg_fixed_lr",
    DIRECTION: "adama_direction",
    MAGNITUDE: "adama_magnitude",
    "AdaGrad": "maddpg_adagrad",
}
SECOND_ORDER = {DIRECTION_2ND: "adama_direction_2nd"}
ENTRIES = (*METHODS, *SECOND_ORDER)
REWARD = "return_mean/ep_length_mean"
REWARD_LABEL = "mean reward per step"
OVER_SEEDS = Settings(x="episodes", aggregate="mean", band="std")


def learning_curves(runs: Sequence[Run]) -> Sheet:
    """Figure 3: training rewards, exploration included, in all scenarios."""
    desk = Desk(runs)
    panels = [_rewards(desk, letter, world, METHODS) for letter, world in zip("abcd", SCENARIOS, strict=True)]
    return _sheet_of_rewards(desk, panels, columns=2)


def _rewards(desk: Desk, letter: str, world: str, methods: Mapping[str, str]) -> Panel:
    curves = {
        label: desk.curve(label, Arm(config, world), REWARD, OVER_SEEDS) for label, config in methods.items()
    }
    return Panel(
        f"({letter}) {scenario(world)}",
        REWARD,
        {label: curve for label, curve in curves.items() if curve is not None},
        desk.marks(world),
        REWARD_LABEL,
    )


def _sheet_of_rewards(desk: Desk, panels: Sequence[Panel], columns: int) -> Sheet:
    drawn = [panel for panel in panels if panel.curves]
    return Sheet(
        drawn,
        AXES["episodes"],
        f"{caption(OVER_SEEDS)}; rewards in training; in brackets: runs",
        columns,
        ENTRIES,
        [*desk.notes, *unequal_lengths(drawn, OVER_SEEDS)],
        desk.absent,
        desk.remarks,
        desk.missing,
    )
