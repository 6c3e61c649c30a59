"""MAMT's experiments: tasks, methods, and their runs."""

from functools import cache

from cohort.analysis.comparability import NOT_THE_GAME
from cohort.analysis.runs import Run
from cohort.configuration import files
from cohort.configuration.updates import ENV_ARGS
from papers.arms import Arm
from papers.run_selector import RunSelector

SPREAD, WALKER, ROVER, PURSUIT = "spread", "multiwalker", "rover_tower", "pursuit"
SEPARATE, MIXED, FULL = "spread3_sep", "spread3_mix", "spread3_ful"
TASKS = (SPREAD, WALKER, ROVER, PURSUIT)  # of figures 2 to 5, in the paper's order
DECOMPOSED = (SEPARATE, MIXED, FULL)  # of figures 8 and 9
TITLES = {
    SPREAD: "Spread",
    WALKER: "Multi-Walker",
    ROVER: "Rover-Tower",
    PURSUIT: "Pursuit",
    SEPARATE: "Spread-3-Sep",
    MIXED: "Spread-3-Mix",
    FULL: "Spread-3-Ful",
}
AGENTS = {SPREAD: 2, WALKER: 3, ROVER: 8, PURSUIT: 8} | dict.fromkeys(DECOMPOSED, 3)
FEW = 3  # agents, up to which pairs are shown one by one
# seeds of each arm; the paper has 5, and 8 according to appendix G.2
SEEDS = {SPREAD: 5, WALKER: 3, ROVER: 3, PURSUIT: 3} | dict.fromkeys(DECOMPOSED, 5)
SEARCHED_SEEDS = 3

# the methods by the paper's names, in the order of their colours -> --config
MAAC, MAPPO, MADDPG, MAMD, MAMT, LOLA = "MAAC", "MA-PPO", "MADDPG", "MAMD", "MAMT", "LOLA"
RANDOM, FIXED, WS, PPO, OPTIMAL = "MAMT-Random", "MAMT-Fixed", "MAMT-WS", "MAMT-PPO", "MAMD-OP"
METHODS = {
    MAAC: "maac",
    MAPPO: "mappo_attention",
    MADDPG: "maddpg",
    MAMD: "mamd",
    MAMT: "mamt",
    LOLA: "lola_dqn",
    RANDOM: "mamt_random",
    FIXED: "mamt_fixed",
    WS: "mamt_ws",
    PPO: "mamt_ppo",
    OPTIMAL: "mamd_op",
}
IN_CURVES = (MAAC, MAPPO, MADDPG, MAMD, MAMT)  # the lines of figure 2
IN_TABLE = (MAAC, MAPPO, MADDPG, LOLA, MAMT, MAMD, RANDOM, FIXED, WS, PPO)  # the rows of table 10
IN_DECOMPOSITION = (MAAC, MAMD, OPTIMAL)  # the lines of figures 8 and 9
# what a search on seeds apart chose by the end of whole runs (tuning.md)
SEARCHED: dict[str, dict[str, object]] = {
    MAAC: {"updates_per_step": 0.08},
    MAPPO: {},  # the table's values ended highest
    MADDPG: {"updates_per_step": 0.08, "policy_penalty": 0.01},
    MAMT: {"updates_per_step": 0.08},
}
# of Table 9's sigmas, the largest below 1/7, where equal coefficients among eight agents lie
SMALL_SIGMA = 0.02
COORDINATED = f"{MAMT} (sigma = {SMALL_SIGMA})"
# what makes a run another experiment besides its rules: whom MAMD-OP constrains
CHOSEN = frozenset(("constrained_agents",))
# on-policy methods collect in rounds of other sizes
VARIED = frozenset(("updates_per_episode",))


def plays(label: str, env_config: str) -> bool:
    """Whether the paper has a method in a task: LOLA is for two agents."""
    return label != LOLA or AGENTS[env_config] == 2


@cache  # an arm reads its configuration files once
def arm(label: str, env_config: str, **typed: object) -> Arm:
    """A method by the paper's name, in a task. Runs of other rules are another experiment."""
    return Arm(METHODS[label], env_config, typed, fixed=_rules(env_config) | CHOSEN, varied=VARIED)


def of(selector: RunSelector, label: str, env_config: str) -> list[Run]:
    """The runs of a method in a task."""
    return selector.of(label, arm(label, env_config), SEEDS[env_config])


def searched(selector: RunSelector, label: str) -> list[Run]:
    """The runs of a method in Spread with the values of its search."""
    return selector.of(f"{label} (searched)", arm(label, SPREAD, **SEARCHED[label]), SEARCHED_SEEDS)


def coordinated(selector: RunSelector, env_config: str) -> list[Run]:
    """MAMT's runs in a task with a sigma that keeps coefficients among eight agents."""
    small = arm(MAMT, env_config, coordination_threshold=SMALL_SIGMA)
    return selector.of(COORDINATED, small, SEEDS[env_config])


def agents(env_config: str) -> range:
    """The numbers of a task's agents."""
    return range(AGENTS[env_config])


def pairs(env_config: str) -> list[tuple[int, int]]:
    """All ordered pairs of different agents."""
    return [(i, j) for i in agents(env_config) for j in agents(env_config) if i != j]


def _rules(env_config: str) -> frozenset[str]:
    """The keys of a task's file that say what is played."""
    given = files.read(files.find("--env-config", env_config)).get(ENV_ARGS, {})
    return frozenset(
        f"{ENV_ARGS}.{key}"
        for key, value in given.items()
        if key not in NOT_THE_GAME and not isinstance(value, dict)
    )
