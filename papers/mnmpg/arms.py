"""MNMPG's experiments: the methods and their runs."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from cohort.analysis.runs import Run
from papers.arms import Arm
from papers.run_selector import RunSelector

SIMULATED, REAL = "sc2_sim", "sc2"
SUPER_HARD = ("corridor", "MMM2", "6h_vs_8z", "27m_vs_30m", "3s5z_vs_3s6z")
FIGURE_2 = (*SUPER_HARD, "5m_vs_6m")
HARD = ("5m_vs_6m", "3s_vs_5z", "bane_vs_bane", "2c_vs_64zg")
EASY = ("2s_vs_1sc", "2s3z", "3s5z", "1c3s5z")  # the paper does not name its four
ABLATED, ROLES = "6h_vs_8z", "corridor"  # the maps of figures 3 and 5, and of figure 4

# the methods by the paper's names, in the order of their colours -> --config, and what is typed
QMIX, VDN, RODE, OW, MNMPG, CW, IQL = "QMIX", "VDN", "RODE", "OW-QMIX", "MNMPG", "CW-QMIX", "IQL"
ONE_RODE, TWO_RODE, LARGE = "MNMPG-1-RODE", "MNMPG-2-RODE", "QMIX_large"
NO_GRAD, NO_S = "MNMPG w/o grad", "MNMPG w/o s"
T1000, T2000, H1, H10 = "1000t", "2000t", "1h", "10h"
FRESH, NO_LR = "MNMPG, fresh z", "MNMPG, no meta gradient"
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    QMIX: ("qmix", {}),
    VDN: ("vdn", {}),
    RODE: ("rode", {}),
    OW: ("ow_qmix", {}),
    MNMPG: ("mnmpg", {}),
    CW: ("cw_qmix", {}),
    IQL: ("iql", {}),
    ONE_RODE: ("mnmpg_1_rode", {}),
    TWO_RODE: ("mnmpg_2_rode", {}),
    LARGE: ("qmix_large", {}),
    NO_GRAD: ("mnmpg", {"hie_grad_qtot": False}),
    NO_S: ("mnmpg", {"concat_ori_s": False}),
    T1000: ("mnmpg", {"meta_interval": 1000}),
    T2000: ("mnmpg", {"meta_interval": 2000}),
    H1: ("mnmpg", {"hierarchy_dim": 1}),
    H10: ("mnmpg", {"hierarchy_dim": 10}),
    FRESH: ("mnmpg", {"meta_z": "fresh"}),
    NO_LR: ("mnmpg", {"meta_lr": 0}),
}
IN_VISITATION = (QMIX, VDN, MNMPG)  # the rows of figure 3
IN_ROLES = (RODE, ONE_RODE, TWO_RODE, MNMPG)  # the lines of figure 4
# the panels of figure 5
IN_ABLATION = ((MNMPG, LARGE, QMIX), (MNMPG, NO_GRAD, NO_S), (MNMPG, T1000, T2000, H1, H10))
CONTROLS = (MNMPG, NO_LR, FRESH, LARGE, QMIX)
CONTROL_MAPS = (ABLATED, "5m_vs_6m", "MMM2")  # the ablations', and two that shorter runs were made on
SEEDS, ABLATION_SEEDS = 5, 3

# keys that make a run another experiment rather than a departure with a note
FIXED = frozenset(("env_args.map_name", *(key for _, typed in METHODS.values() for key in typed)))
# one and the same command serves all figures: the paper's length, with a model each 500,000 steps for figure 3
RECORDED = {"t_max": 5_050_000, "save_model": True}


@cache  # an arm reads its configuration files once
def arm(label: str, map_name: str, env_config: str = SIMULATED) -> Arm:
    """A method by the paper's name, on a map."""
    config, typed = METHODS[label]
    return Arm(config, env_config, {"env_args.map_name": map_name, **typed}, FIXED, recorded=RECORDED)


def on_map(
    selector: RunSelector, label: str, map_name: str, wanted: int = SEEDS, env_config: str = SIMULATED
) -> list[Run]:
    """The runs of a method on a map."""
    return selector.of(f"{label} ({map_name})", arm(label, map_name, env_config), wanted, entry=label)


def compared(map_name: str) -> tuple[str, ...]:
    """The lines of a map's panel in figures 2, B.1 and B.2: CW-QMIX stands for OW-QMIX on 3s5z_vs_3s6z."""
    return (QMIX, VDN, RODE, CW if map_name == "3s5z_vs_3s6z" else OW, MNMPG)
