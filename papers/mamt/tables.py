"""MAMT's tables 2 and 10."""

from collections.abc import Sequence

from cohort.analysis.runs import Run
from papers.evidence import Reading, last_episodes, measured, scaled, whole
from papers.mamt.arms import (
    AGENTS,
    FIXED,
    IN_TABLE,
    LOLA,
    MAAC,
    MADDPG,
    MAMD,
    MAMT,
    MAPPO,
    PPO,
    PURSUIT,
    RANDOM,
    ROVER,
    SPREAD,
    TASKS,
    TITLES,
    WALKER,
    WS,
    of,
    plays,
)
from papers.run_selector import RunSelector
from papers.table import Table
from papers.wording import listed

LAST = 1000  # episodes of table 10
RETURNS = {"last 1000 training episodes": "return_mean", "greedy tests in them": "test_return_mean"}
WITHIN_BUDGET = "trust_regions_within_budget"
HEADINGS = ("task", "method", "seeds", "episodes", *RETURNS, "paper")
PAPER = {
    SPREAD: {
        MAAC: "-43.23 (0.76)", MAPPO: "-42.29 (0.61)", MADDPG: "-43.33 (0.68)", LOLA: "-42.08 (1.23)",
        MAMT: "-38.06 (0.69)", MAMD: "-42.17 (1.05)", RANDOM: "-43.04 (0.88)", FIXED: "-41.29 (0.73)",
        WS: "-39.83 (0.72)", PPO: "-39.65 (0.47)",
    },
    WALKER: {
        MAAC: "-30.16 (3.38)", MAPPO: "-38.52 (4.22)", MADDPG: "-49.76 (3.97)",
        MAMT: "-4.70 (4.38)", MAMD: "-4.92 (3.91)", RANDOM: "-30.52 (3.17)", FIXED: "-4.82 (3.14)",
        WS: "-4.90 (4.86)", PPO: "-4.98 (4.05)",
    },
    ROVER: {
        MAAC: "121.79 (6.84)", MAPPO: "120.36 (6.02)", MADDPG: "87.46 (6.50)",
        MAMT: "145.95 (5.77)", MAMD: "127.80 (5.04)", RANDOM: "115.11 (6.13)", FIXED: "123.21 (5.87)",
        WS: "133.70 (6.22)", PPO: "141.33 (5.95)",
    },
    PURSUIT: {
        MAAC: "19.86 (1.19)", MAPPO: "20.05 (1.20)", MADDPG: "5.05 (1.33)",
        MAMT: "25.62 (1.30)", MAMD: "22.30 (1.81)", RANDOM: "16.48 (1.33)", FIXED: "21.54 (1.62)",
        WS: "17.17 (2.89)", PPO: "25.04 (1.68)",
    },
}  # fmt: skip
# what a return of a task means, of an agent: scripted teams
ANCHORS = {
    SPREAD: "random -67, doing nothing -64, the better assignment with brakes -36",
    WALKER: "random -98, no torque -1.8 (continuous actions): what stands still scores like the paper's best",
    ROVER: "random -8, doing nothing -5, rovers told at the first moment 122, rovers that know at once 132: the "
    "paper's 128 and more cannot be means over 1,000 episodes of 25 steps by these rules",
    PURSUIT: "random 0.7 to 1.1, all thirty evaders caught by four each 75",
}
BUDGET = {SPREAD: 0.9547, WALKER: 0.9016, ROVER: 0.8376, PURSUIT: 0.8588}  # table 2
NOTES = (
    "Return of an agent: an episode's rewards, mean over agents; ours is the mean over seeds ± standard deviation "
    "(n - 1), the paper's has its standard deviation in brackets.",
    "Training episodes are played by the sampling policy, tests by its most likely actions; the paper's numbers are of "
    "training, its curves of tests.",
    f"With two agents {MAMT}, {RANDOM} and {FIXED} are one method, as every coefficient is 1: the paper's -38.06, "
    "-43.04 and -41.29 in Spread show how much that differs by chance or by what is not in its equations.",
)


def of_an_agent(metric: str, env_config: str) -> Reading:
    """The mean return of an agent over the last thousand episodes: what is logged is the sum over agents."""
    return scaled(last_episodes(metric, LAST), 1 / AGENTS[env_config])


def returns(selector: RunSelector) -> Table:
    """Table 10: every run counts as it ended."""
    rows = []
    for env_config in TASKS:
        for label in IN_TABLE:
            if plays(label, env_config):
                mine = of(selector, label, env_config)
                cells = [_text(_ended(mine, of_an_agent(each, env_config))) for each in RETURNS.values()]
                rows.append(_row(env_config, label, mine, cells, PAPER[env_config][label]))
    anchors = [f"{TITLES[env_config]}: {text}." for env_config, text in ANCHORS.items()]
    return Table(HEADINGS, rows, [*NOTES, *anchors])


def budget(selector: RunSelector) -> Table:
    """Table 2: how often MAMT's trust regions add up to no more than the budget."""
    rows = []
    for env_config in TASKS:
        mine = of(selector, MAMT, env_config)
        shares = measured(mine, whole(WITHIN_BUDGET), float("inf"))
        rows.append(_row(env_config, MAMT, mine, [_text(shares, 4)], f"{BUDGET[env_config]:.4f}"))
    note = "The mean over all updates; the budget is trust_region_budget, which the paper does not give."
    return Table(("task", "method", "seeds", "episodes", "share within the budget", "paper"), rows, [note])


def _ended(runs: Sequence[Run], reading: Reading) -> dict[object, float]:
    """Seed -> what a reading has of a run as far as it went."""
    return {
        seed: value for run in runs for seed, value in measured([run], reading, run.episode or 0.0).items()
    }


def _row(env_config: str, label: str, runs: Sequence[Run], cells: Sequence[str], paper: str) -> list[str]:
    lengths = sorted({run.episode for run in runs if run.episode is not None})
    length = " to ".join(f"{each:,}" for each in dict.fromkeys((lengths[0], lengths[-1]))) if lengths else ""
    return [TITLES[env_config], label, listed(str(run.seed) for run in runs), length, *cells, paper]


def _text(values: dict[object, float], digits: int = 2) -> str:
    numbers = list(values.values())
    if not numbers:
        return ""
    mean = sum(numbers) / len(numbers)
    if len(numbers) < 2:
        return f"{mean:.{digits}f}"
    deviation = (sum((each - mean) ** 2 for each in numbers) / (len(numbers) - 1)) ** 0.5
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"
