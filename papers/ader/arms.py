"""ADER's experiments: the methods and their runs."""

from functools import cache

from cohort.analysis.runs import Run
from papers.arms import Arm
from papers.run_selector import RunSelector

GAME, CHEETAH, HUNT = "continuous_matrix_game", "halfcheetah_6x1", "h_predator_prey"
SIMULATED, REAL = "sc2_sim_sparse", "sc2_sparse"  # sparse SMAC
EASY = ("1c3s5z", "3m", "8m", "3s5z")  # figures 3a to d
HARD = ("3s_vs_3z", "5m_vs_6m", "MMM2", "8m_vs_9m")  # 3e to h
# the methods by the paper's names, in the order of their colours -> --config
ADER, SER, DCE, REVERSED = "ADER", "SER-MARL", "SER-DCE", "Reversed ADER"
FACMAC, QMIX, VDAC, LICA, FOP, DOP = "FACMAC", "QMIX", "VDAC", "LICA", "FOP", "DOP"
NO_EMA, SINGLE = "ADER without EMA", "ADER with one critic"
METHODS = {
    ADER: "ader",
    SER: "ser_marl",
    DCE: "ser_dce",
    REVERSED: "ader_reversed",
    FACMAC: "facmac",
    DOP: "dop",
    FOP: "fop",
    LICA: "lica",
    QMIX: "qmix",
    VDAC: "vdac",
    NO_EMA: "ader_no_ema",
    SINGLE: "ader_single_critic",
}
CONTINUOUS = {FACMAC: "facmac_continuous"}  # where actions are continuous, and the name is another
IN_GAME = (ADER, SER, DCE, REVERSED)  # the lines of figure 2
IN_SMAC = (ADER, DOP, FACMAC, FOP, LICA, QMIX, VDAC)  # of figure 3
IN_CONTINUOUS = (ADER, SER, FACMAC)  # of figure 4
IN_ABLATION = (ADER, SER, NO_EMA, SINGLE)  # of figure 5
# seeds of each arm; the paper has none for figure 5
SEEDS = {"2": 5, "3": 5, "4": 9, "5": 5}

# keys that make a run another experiment rather than a departure with a note
FIXED = frozenset(
    f"env_args.{key}"
    for key in (
        *("map_name", "reward_ader_sparse", "scenario", "agent_conf", "agent_obsk", "global_categories"),
        *(
            "c",
            "w",
            "episode_limit",
            "max_speeds",
            "n_prey",
            "prey_force_scale",
            "n_landmarks",
            "reward_per_pair",
        ),
    )
)
# methods collect in rounds of different sizes, and their authors differ in what the state holds
VARIED = frozenset(("updates_per_episode", "env_args.state_last_action"))


@cache  # an arm reads its configuration files once
def arm(label: str, env_config: str, **typed: object) -> Arm:
    """A method by the paper's name, in a scenario."""
    names = METHODS | CONTINUOUS if env_config in (GAME, CHEETAH, HUNT) else METHODS
    return Arm(names[label], env_config, typed, FIXED, varied=VARIED)


def on_map(selector: RunSelector, label: str, env_config: str, map_name: str, wanted: int) -> list[Run]:
    """The runs of a method on a map of SMAC."""
    of_map = arm(label, env_config, **{"env_args.map_name": map_name})
    return selector.of(f"{label} ({map_name})", of_map, wanted, entry=label)
