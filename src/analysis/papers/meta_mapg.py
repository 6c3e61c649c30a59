"""Meta-MAPG's experiments (ICLR 2021 submission): arms, what is read off their runs, figures 2, 3a, 4 and 9 to 16.

All of it is of meta-testing: the last test of each run, which is of the model that validation chose.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from src.analysis.curves import Curve, Settings, over_places
from src.analysis.figure import Panel
from src.analysis.papers.arms import Arm, ranged
from src.analysis.papers.sheets import Desk, Sheet
from src.analysis.runs import Run
from src.envs.repeated_games import RepeatedGame, prisoners_dilemma, rock_paper_scissors

IPD, RPS = "ipd", "rps"
TITLES = {IPD: "IPD", RPS: "RPS"}
GAMES: dict[str, RepeatedGame] = {IPD: prisoners_dilemma(), RPS: rock_paper_scissors(2)}
# the methods by the paper's names, in the order of their colours -> --config
META_MAPG, META_PG, LOLA, REINFORCE = "Meta-MAPG", "Meta-PG", "LOLA-DiCE", "REINFORCE"
OM, NO_OWN = "Meta-MAPG (OM)", "No own learning"
METHODS = {
    META_MAPG: "meta_mapg",
    META_PG: "meta_pg",
    LOLA: "lola_dice",
    REINFORCE: "reinforce",
    OM: "meta_mapg_om",
    NO_OWN: "meta_mapg_no_own",
}
COMPARED = (META_MAPG, META_PG, LOLA, REINFORCE)  # the lines of figure 2
# without sampling and with tables, not in the paper: what is typed after --config=meta_mapg_exact
EXACT = {META_MAPG: {}, META_PG: {"dice_nodes": "own"}, NO_OWN: {"own_learning": False}}
LOOK_AHEADS = {IPD: (1, 3, 5), RPS: (1,)}  # of LOLA-DiCE, of which the best is shown
TRAJECTORIES = (4, 8, 16, 32, 64)
PLAYERS = (3, 4)
# seeds of each arm; the paper has none for 4b and 9 to 16
SEEDS = {"2": 10, "3a": 10, "q3": 5, "4a": 5, "4b": 10, "4c": 10, "9-16": 10}

# what makes another experiment of a run, and never a departure to be noted
FIXED = frozenset(("env_args.map_name", "env_args.n_agents", "out_of_distribution"))
USUAL = frozenset(("trajectories",))  # what figure 3a varies
# methods differ in the matches of an update, and figure 4b compares numbers of players
VARIED = frozenset(("updates_per_episode", "env_args.n_agents"))
OVER_SEEDS = Settings(aggregate="mean", band="interval")
AUC = "test_auc"
VALIDATION = "val_auc_best"
SAID = (
    "mean over seeds and its 95 % interval (bootstrap), of meta-testing with the model that validation chose"
)
REWARD = "reward per step"


@dataclass(frozen=True)
class Line:
    """A legend entry with its runs; `told` is what a note must say of it."""

    entry: str
    runs: Sequence[Run]
    told: str = ""


def arm(label: str, world: str, **typed: object) -> Arm:
    """A method by the paper's name, in a game."""
    return Arm(METHODS[label], world, typed, FIXED, USUAL, VARIED)


def exact_arm(label: str, world: str, **typed: object) -> Arm:
    """The same without sampling."""
    fixed = FIXED | {"dice_nodes", "own_learning"}
    return Arm("meta_mapg_exact", world, EXACT[label] | typed, fixed, varied=VARIED)


def exact(label: str) -> str:
    """The legend entry of a method without sampling."""
    return f"{label} (exact)"


ALIKE = {exact(label): label for label in EXACT}


def line(desk: Desk, label: str, world: str, seeds: int, **typed: object) -> Line:
    """A method's runs in a game; of LOLA-DiCE those with the look-aheads that validation prefers."""
    if label != LOLA:
        return Line(label, desk.of(described(label, typed), arm(label, world, **typed), seeds, label))
    found = {}
    for looks in LOOK_AHEADS[world]:
        more = {**typed, "look_aheads": looks}
        found[looks] = desk.of(described(label, more), arm(label, world, **more), seeds, label)
    scores = {looks: list(last(runs, VALIDATION).values()) for looks, runs in found.items()}
    validated = [looks for looks, values in scores.items() if values]
    some = next((looks for looks, runs in found.items() if runs), 1)
    best = max(validated, key=lambda looks: np.mean(scores[looks]), default=some)
    named = " and ".join(map(str, validated))
    told = f"{TITLES[world]}: {described(label, typed)} with look-ahead {best}, the best in validation of {named}"
    return Line(label, found[best], told if len(validated) > 1 else "")


def exact_line(desk: Desk, label: str, world: str, **typed: object) -> Line:
    """A method's runs without sampling, which nobody misses."""
    entry = exact(label)
    runs = desk.of(described(entry, typed), exact_arm(label, world, **typed), wanted=0, entry=entry)
    return Line(entry, runs)


def described(label: str, typed: Mapping[str, object]) -> str:
    """A method with what is typed, in words."""
    words = {
        "trajectories": "K = {}",
        "look_aheads": "look-ahead {}",
        "env_args.n_agents": "{} agents",
        "out_of_distribution": "out of distribution",
    }
    more = ", ".join(words[key].format(value) for key, value in typed.items())
    return f"{label} ({more})" if more else label


def last(runs: Sequence[Run], metric: str) -> dict[Run, float]:
    """The last finite value of a metric, of those runs that have one."""
    values = {run: run.last(metric) for run in runs}
    return {run: value for run, value in values.items() if value is not None and np.isfinite(value)}


def chain_curve(runs: Sequence[Run], metric: str, of: str = "") -> Curve | None:
    """Over phi_0 .. phi_L: metrics `<metric>_phi_<l><of>`."""
    length = max((run.config["chain_length"] for run in runs), default=0)
    return over_places(
        {place: last(runs, f"{metric}_phi_{place}{of}") for place in range(length + 1)}, OVER_SEEDS
    )


def chain_ticks(curves: Iterable[Curve]) -> list[str]:
    """The names of joint policies, as far as curves reach."""
    return [
        rf"$\phi_{place}$" for place in range(1 + int(max((curve.longest for curve in curves), default=0)))
    ]


def chain_panel(
    desk: Desk, title: str, world: str, lines: Sequence[Line], metric: str, of: str = ""
) -> Panel:
    """Every line over the joint policies of a chain."""
    curves = {each.entry: chain_curve(each.runs, metric, of) for each in lines}
    drawn = {entry: curve for entry, curve in curves.items() if curve is not None}
    return Panel(
        title,
        f"{metric}{of}",
        drawn,
        desk.marks(world),
        REWARD,
        counted=False,
        ticks=chain_ticks(drawn.values()),
    )


def tell(desk: Desk, where: str, lines: Sequence[Line]) -> None:
    """Note the seeds and updates that lines are made of, and what else must be said of them."""
    groups: dict[str, list[str]] = {}
    for each in lines:
        tested = [run for run in each.runs if run.last(AUC) is not None]
        if tested:
            groups.setdefault(made_of(tested), []).append(each.entry)
    told = "; ".join(f"{', '.join(entries)}: {made}" for made, entries in groups.items())
    notes = [f"{where}: {told}"] if told else []
    desk.notes += [
        note for note in [*notes, *(each.told for each in lines if each.told)] if note not in desk.notes
    ]


def made_of(runs: Sequence[Run]) -> str:
    """How many seeds, which, and after how many updates."""
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    return f"seed{'s' * (len(seeds) > 1)} {ranged(seeds)}, {updates_of(runs)}"


def updates_of(runs: Sequence[Run]) -> str:
    """After how many updates, from the fewest to the most."""
    updates = sorted(run.updates or 0 for run in runs)
    if not updates:
        return ""
    fewest = "" if updates[0] == updates[-1] else f"{updates[0]:,} to "
    return f"{fewest}{updates[-1]:,} updates"


def sheet_of(desk: Desk, panels: Sequence[Panel], x_label: str, said: str = SAID) -> Sheet:
    """A figure whose colours are the methods'."""
    return desk.sheet([panel for panel in panels if panel.curves], x_label, said, tuple(METHODS), alike=ALIKE)


def adaptation(runs: Sequence[Run]) -> Sheet:
    """Figure 2: adaptation at meta-testing, by all methods in all games."""
    desk, panels = Desk(runs), []
    for world in (IPD, RPS):
        lines = [line(desk, label, world, SEEDS["2"]) for label in COMPARED]
        lines += [exact_line(desk, label, world) for label in (META_MAPG, META_PG)]
        tell(desk, TITLES[world], lines)
        kinds = {"a": "cooperating", "b": "defecting"} if world == IPD else {"c": ""}
        for letter, kind in kinds.items():
            title = f"({letter}) {TITLES[world]}{f', {kind} peers' * bool(kind)}"
            panels.append(chain_panel(desk, title, world, lines, "test_reward", f"_{kind}" * bool(kind)))
    return sheet_of(desk, panels, "joint policy")


def trajectories(runs: Sequence[Run]) -> Sheet:
    """Figure 3a: the AUC with K matches under each joint policy."""
    desk = Desk(runs)
    curves, lines = {}, []
    for label in COMPARED:
        by_k = [line(desk, label, IPD, SEEDS["3a"], trajectories=k) for k in TRAJECTORIES]
        curve = over_places({place: last(each.runs, AUC) for place, each in enumerate(by_k)}, OVER_SEEDS)
        lines.append(Line(label, [run for each in by_k for run in each.runs]))
        desk.notes += [each.told for each in by_k if each.told]
        if curve is not None:
            curves[label] = curve
    tell(desk, TITLES[IPD], lines)
    ticks = [str(k) for k in TRAJECTORIES]
    panel = Panel("(a) IPD", AUC, curves, desk.marks(IPD), "AUC", counted=False, ticks=ticks)
    return sheet_of(desk, [panel], "matches K under each joint policy")


def modelling(runs: Sequence[Run]) -> Sheet:
    """Figure 4a: the AUC when the peers' parameters are guessed."""
    desk = Desk(runs)
    lines = [line(desk, label, IPD, SEEDS["4a"]) for label in (META_MAPG, OM, META_PG)]
    tell(desk, TITLES[IPD], lines)
    return sheet_of(desk, [_bars(desk, "(a) IPD with opponent modelling", IPD, {"IPD": lines})], "")


def players(runs: Sequence[Run]) -> Sheet:
    """Figure 4b: the AUC among more than one peer."""
    desk, groups = Desk(runs), {}
    for n in PLAYERS:
        typed = {"env_args.n_agents": n}
        lines = [line(desk, label, RPS, SEEDS["4b"], **typed) for label in (META_MAPG, META_PG)]
        lines += [exact_line(desk, label, RPS, **typed) for label in (META_MAPG, META_PG)]
        groups[f"{n} agents"] = lines
        tell(desk, f"RPS, {n} agents", lines)
    return sheet_of(desk, [_bars(desk, "(b) RPS", RPS, groups)], "")


def ablation(runs: Sequence[Run]) -> Sheet:
    """Figure 4c: what own learning and peer learning are each good for. Meta-PG is without peer learning."""
    desk, labels = Desk(runs), (META_MAPG, META_PG, NO_OWN)
    lines = [line(desk, label, RPS, SEEDS["4c"]) for label in labels]
    lines += [exact_line(desk, label, RPS) for label in labels]
    tell(desk, TITLES[RPS], lines)
    panel = chain_panel(desk, "(c) RPS, ablations", RPS, lines, "test_reward")
    return sheet_of(desk, [panel], "joint policy", f"{SAID}; Meta-PG is without peer learning")


def _bars(desk: Desk, title: str, world: str, groups: Mapping[str, Sequence[Line]]) -> Panel:
    """The AUC of each line in each group."""
    values: dict[str, dict[float, dict[Run, float]]] = {}
    for place, lines in enumerate(groups.values()):
        for each in lines:
            values.setdefault(each.entry, {})[place] = last(each.runs, AUC)
    curves = {entry: over_places(by_place, OVER_SEEDS) for entry, by_place in values.items()}
    drawn = {entry: curve for entry, curve in curves.items() if curve is not None}
    return Panel(title, AUC, drawn, desk.marks(world), "AUC", counted=False, form="bars", ticks=list(groups))


def actions(label: str, world: str, kind: str, runs: Sequence[Run]) -> Sheet:
    """Figures 9 to 16: how often agent and peer take each action, with the peers of one temperament."""
    desk, panels = Desk(runs), []
    lines = [line(desk, label, world, SEEDS["9-16"])]
    lines += [exact_line(desk, label, world)] if label in EXACT else []
    tell(desk, f"{TITLES[world]}, {kind} peers", lines)
    names = GAMES[world].actions
    for each in lines:
        for who, metric in (("agent", "test_action"), ("peer", "test_peer_action")):
            curves = {name: chain_curve(each.runs, f"{metric}_{name}", f"_{kind}") for name in names}
            drawn = {name: curve for name, curve in curves.items() if curve is not None}
            title = f"{each.entry}{'*' * (each.entry in desk.marks(world))}: {who}"
            ticks = chain_ticks(drawn.values())
            panels.append(
                Panel(
                    title, title, drawn, y_label="action probability", counted=False, ticks=ticks, share=True
                )
            )
    drawn = [panel for panel in panels if panel.curves]
    return desk.sheet(drawn, "joint policy", f"{SAID}; shares of all steps of all matches", names)


actions_9 = partial(actions, META_PG, IPD, "cooperating")
actions_10 = partial(actions, LOLA, IPD, "cooperating")
actions_11 = partial(actions, REINFORCE, IPD, "cooperating")
actions_12 = partial(actions, META_MAPG, IPD, "cooperating")
actions_13 = partial(actions, META_PG, RPS, "scissors")
actions_14 = partial(actions, LOLA, RPS, "scissors")
actions_15 = partial(actions, REINFORCE, RPS, "scissors")
actions_16 = partial(actions, META_MAPG, RPS, "scissors")
