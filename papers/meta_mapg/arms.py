"""Meta-MAPG's experiments (ICLR 2021 submission): the arms, their runs, and how results are read.

All of it is of meta-testing: the last test of each run, which is of the model that validation chose.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cohort.analysis.runs import Run
from papers.arms import Arm
from papers.run_selector import RunSelector
from papers.wording import ranged, updates_of

IPD, RPS, CHEETAH = "ipd", "rps", "halfcheetah_dir"
TITLES = {IPD: "IPD", RPS: "RPS", CHEETAH: "HalfCheetah"}
# the methods by the paper's names, in the order of their colours -> --config
META_MAPG, META_PG, LOLA, REINFORCE = "Meta-MAPG", "Meta-PG", "LOLA-DiCE", "REINFORCE"
OM = "Meta-MAPG (OM)"
# two readings of "without the own learning gradient": equation 6 without its own sum, or own updates held constant
NO_OWN, OWN_CONSTANT = "No own learning", "Own updates constant"
METHODS = {
    META_MAPG: "meta_mapg",
    META_PG: "meta_pg",
    LOLA: "lola_dice",
    REINFORCE: "reinforce",
    OM: "meta_mapg_om",
    NO_OWN: "meta_mapg_no_own",
    OWN_CONSTANT: "meta_mapg_own_constant",
}
COMPARED = (META_MAPG, META_PG, LOLA, REINFORCE)  # the lines of figure 2
# without sampling and with tables, not in the paper: what is typed after --config=meta_mapg_exact
EXACT = {META_MAPG: {}, META_PG: {"dice_nodes": "own"}, OWN_CONSTANT: {"own_learning": False}}
LOOK_AHEADS = {IPD: (1, 3, 5), RPS: (1,), CHEETAH: (1,)}  # of LOLA-DiCE, of which the best is shown
TRAJECTORIES = (4, 8, 16, 32, 64)
PLAYERS = (3, 4)
# seeds of each arm; the paper has none for 4b and 9 to 16
SEEDS = {"2": 10, "2d": 5, "3a": 10, "q3": 5, "4a": 5, "4b": 10, "4c": 10, "9-16": 10}

# keys that make a run another experiment rather than a departure with a note
FIXED = frozenset(("env_args.map_name", "env_args.n_agents", "out_of_distribution"))
USUAL = frozenset(("trajectories",))  # what figure 3a varies
# methods differ in the matches of an update, and figure 4b compares numbers of players
VARIED = frozenset(("updates_per_episode", "env_args.n_agents"))
AUC = "test_auc"
VALIDATION = "val_auc_best"


@dataclass(frozen=True)
class Line:
    """A legend entry with its runs, and what a note must say of it."""

    entry: str
    runs: Sequence[Run]
    note: str = ""


@cache  # an arm reads its configuration files once
def arm(label: str, env_config: str, **typed: object) -> Arm:
    """A method by the paper's name, in a game."""
    return Arm(METHODS[label], env_config, typed, FIXED, USUAL, VARIED)


@cache
def exact_arm(label: str, env_config: str, **typed: object) -> Arm:
    """The same without sampling."""
    fixed = FIXED | {"dice_nodes", "own_learning"}
    return Arm("meta_mapg_exact", env_config, EXACT[label] | typed, fixed, varied=VARIED)


def exact(label: str) -> str:
    """The legend entry of a method without sampling."""
    return f"{label} (exact)"


SAME_COLOUR = {exact(label): label for label in EXACT}


def line(selector: RunSelector, label: str, env_config: str, seeds: int, **typed: object) -> Line:
    """A method's runs in a game; of LOLA-DiCE those with the look-aheads that validation prefers."""
    if label != LOLA:
        return Line(
            label, selector.of(described(label, typed), arm(label, env_config, **typed), seeds, label)
        )
    found = {}
    for looks in LOOK_AHEADS[env_config]:
        more = {**typed, "look_aheads": looks}
        found[looks] = selector.of(described(label, more), arm(label, env_config, **more), seeds, label)
    scores = {looks: list(last(runs, VALIDATION).values()) for looks, runs in found.items()}
    validated = [looks for looks, values in scores.items() if values]
    some = next((looks for looks, runs in found.items() if runs), 1)
    best = max(validated, key=lambda looks: np.mean(scores[looks]), default=some)
    named = " and ".join(map(str, validated))
    note = f"{TITLES[env_config]}: {described(label, typed)} with look-ahead {best}, the best in validation of {named}"
    return Line(label, found[best], note if len(validated) > 1 else "")


def exact_line(selector: RunSelector, label: str, env_config: str, **typed: object) -> Line:
    """A method's runs without sampling; they are not in the paper, and never reported as missing."""
    entry = exact(label)
    runs = selector.of(described(entry, typed), exact_arm(label, env_config, **typed), wanted=0, entry=entry)
    return Line(entry, runs)


def with_teammates(runs: Sequence[Run]) -> dict[str, str]:
    """What is typed for HalfCheetah's arms: the run that the teammates come from, the one that most runs name."""
    mine = [run for run in runs if run.env == CHEETAH and run.method in METHODS.values()]
    named = Counter(run.config["teammates"] for run in mine)
    return {"teammates": named.most_common(1)[0][0] if named else "<run of cheetah_teammates>"}


def described(label: str, typed: Mapping[str, object]) -> str:
    """A method with what is typed, in words."""
    words = {
        "trajectories": "K = {}",
        "look_aheads": "look-ahead {}",
        "env_args.n_agents": "{} agents",
        "out_of_distribution": "out of distribution",
    }
    more = ", ".join(words[key].format(value) for key, value in typed.items() if key in words)
    return f"{label} ({more})" if more else label


def last(runs: Sequence[Run], metric: str) -> dict[Run, float]:
    """The last finite value of a metric, of those runs that have one."""
    values = {run: run.last(metric) for run in runs}
    return {run: value for run, value in values.items() if value is not None and np.isfinite(value)}


def note_runs(selector: RunSelector, where: str, lines: Sequence[Line]) -> None:
    """Note the seeds and updates that lines are made of, and what else must be said of them."""
    groups: dict[str, list[str]] = {}
    for each in lines:
        tested = [run for run in each.runs if run.last(AUC) is not None]
        if tested:
            groups.setdefault(made_of(tested), []).append(each.entry)
    made_ofs = "; ".join(f"{', '.join(entries)}: {made}" for made, entries in groups.items())
    notes = [f"{where}: {made_ofs}"] if made_ofs else []
    notes += [each.note for each in lines if each.note]
    selector.notes += [note for note in notes if note not in selector.notes]


def made_of(runs: Sequence[Run]) -> str:
    """How many seeds, which, and after how many updates."""
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    return f"seed{'s' * (len(seeds) > 1)} {ranged(seeds)}, {updates_of(runs, AUC) or 'updates not on record'}"
