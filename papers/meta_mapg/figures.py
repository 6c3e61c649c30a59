"""Meta-MAPG's figures 2, 3a, 4 and 9 to 16."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from cohort.analysis.curves import Curve, Settings, over_places
from cohort.analysis.figure import Panel
from cohort.analysis.runs import Run
from cohort.envs.repeated_games import RepeatedGame, prisoners_dilemma, rock_paper_scissors
from papers.figure_spec import FigureSpec
from papers.meta_mapg.arms import (
    AUC,
    CHEETAH,
    COMPARED,
    EXACT,
    IPD,
    LOLA,
    META_MAPG,
    META_PG,
    METHODS,
    NO_OWN,
    OM,
    OWN_CONSTANT,
    PLAYERS,
    REINFORCE,
    RPS,
    SAME_COLOUR,
    SEEDS,
    TITLES,
    TRAJECTORIES,
    Line,
    exact_line,
    last,
    line,
    note_runs,
    with_teammates,
)
from papers.run_selector import RunSelector

GAMES: dict[str, RepeatedGame] = {IPD: prisoners_dilemma(), RPS: rock_paper_scissors(2)}
OVER_SEEDS = Settings(aggregate="mean", band="interval")
SAID = (
    "mean over seeds and its 95 % interval (bootstrap), of meta-testing with the model that validation chose"
)
LABELS = {"test_reward": "reward per step", "test_return": "return of a match"}


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
    selector: RunSelector, title: str, env_config: str, lines: Sequence[Line], metric: str, of: str = ""
) -> Panel:
    """Every line over the joint policies of a chain."""
    curves = {each.entry: chain_curve(each.runs, metric, of) for each in lines}
    drawn = {entry: curve for entry, curve in curves.items() if curve is not None}
    return Panel(
        title,
        f"{metric}{of}",
        drawn,
        selector.marks(env_config),
        LABELS[metric],
        counted=False,
        ticks=chain_ticks(drawn.values()),
    )


def method_figure(
    selector: RunSelector, panels: Sequence[Panel], x_label: str, said: str = SAID
) -> FigureSpec:
    """A figure whose colours are the methods'."""
    return selector.figure(
        [panel for panel in panels if panel.curves], x_label, said, tuple(METHODS), same_colour=SAME_COLOUR
    )


def adaptation(runs: Sequence[Run]) -> FigureSpec:
    """Figure 2: adaptation at meta-testing, by all methods in all games."""
    selector, panels = RunSelector(runs), []
    for env_config in (IPD, RPS):
        lines = [line(selector, label, env_config, SEEDS["2"]) for label in COMPARED]
        lines += [exact_line(selector, label, env_config) for label in (META_MAPG, META_PG)]
        note_runs(selector, TITLES[env_config], lines)
        kinds = {"a": "cooperating", "b": "defecting"} if env_config == IPD else {"c": ""}
        for letter, kind in kinds.items():
            title = f"({letter}) {TITLES[env_config]}{f', {kind} peers' * bool(kind)}"
            panels.append(
                chain_panel(selector, title, env_config, lines, "test_reward", f"_{kind}" * bool(kind))
            )
    typed = with_teammates(runs)
    lines = [line(selector, label, CHEETAH, SEEDS["2d"], **typed) for label in COMPARED]
    note_runs(selector, TITLES[CHEETAH], lines)
    panels.append(chain_panel(selector, f"(d) 2-agent {TITLES[CHEETAH]}", CHEETAH, lines, "test_return"))
    return method_figure(selector, panels, "joint policy")


def trajectories(runs: Sequence[Run]) -> FigureSpec:
    """Figure 3a: the AUC with K matches under each joint policy."""
    selector = RunSelector(runs)
    curves, lines = {}, []
    for label in COMPARED:
        by_k = [line(selector, label, IPD, SEEDS["3a"], trajectories=k) for k in TRAJECTORIES]
        curve = over_places({place: last(each.runs, AUC) for place, each in enumerate(by_k)}, OVER_SEEDS)
        lines.append(Line(label, [run for each in by_k for run in each.runs]))
        selector.notes += [each.note for each in by_k if each.note]
        if curve is not None:
            curves[label] = curve
    note_runs(selector, TITLES[IPD], lines)
    ticks = [str(k) for k in TRAJECTORIES]
    panel = Panel("(a) IPD", AUC, curves, selector.marks(IPD), "AUC", counted=False, ticks=ticks)
    return method_figure(selector, [panel], "matches K under each joint policy")


def modelling(runs: Sequence[Run]) -> FigureSpec:
    """Figure 4a: the AUC when the peers' parameters are guessed."""
    selector = RunSelector(runs)
    lines = [line(selector, label, IPD, SEEDS["4a"]) for label in (META_MAPG, OM, META_PG)]
    note_runs(selector, TITLES[IPD], lines)
    return method_figure(
        selector, [_bars(selector, "(a) IPD with opponent modelling", IPD, {"IPD": lines})], ""
    )


def players(runs: Sequence[Run]) -> FigureSpec:
    """Figure 4b: the AUC among more than one peer."""
    selector, groups = RunSelector(runs), {}
    for n in PLAYERS:
        typed = {"env_args.n_agents": n}
        lines = [line(selector, label, RPS, SEEDS["4b"], **typed) for label in (META_MAPG, META_PG)]
        lines += [exact_line(selector, label, RPS, **typed) for label in (META_MAPG, META_PG)]
        groups[f"{n} agents"] = lines
        note_runs(selector, f"RPS, {n} agents", lines)
    return method_figure(selector, [_bars(selector, "(b) RPS", RPS, groups)], "")


def ablation(runs: Sequence[Run]) -> FigureSpec:
    """Figure 4c: own learning or peer learning left out. Meta-PG is without peer learning."""
    selector, labels = RunSelector(runs), (META_MAPG, META_PG, NO_OWN, OWN_CONSTANT)
    lines = [line(selector, label, RPS, SEEDS["4c"]) for label in labels]
    lines += [exact_line(selector, label, RPS) for label in labels if label in EXACT]
    note_runs(selector, TITLES[RPS], lines)
    panel = chain_panel(selector, "(c) RPS, ablations", RPS, lines, "test_reward")
    return method_figure(selector, [panel], "joint policy", f"{SAID}; Meta-PG is without peer learning")


def _bars(selector: RunSelector, title: str, env_config: str, groups: Mapping[str, Sequence[Line]]) -> Panel:
    """The AUC of each line in each group."""
    values: dict[str, dict[float, dict[Run, float]]] = {}
    for place, lines in enumerate(groups.values()):
        for each in lines:
            values.setdefault(each.entry, {})[place] = last(each.runs, AUC)
    curves = {entry: over_places(by_place, OVER_SEEDS) for entry, by_place in values.items()}
    drawn = {entry: curve for entry, curve in curves.items() if curve is not None}
    return Panel(
        title, AUC, drawn, selector.marks(env_config), "AUC", counted=False, form="bars", ticks=list(groups)
    )


def actions(label: str, env_config: str, kind: str, runs: Sequence[Run]) -> FigureSpec:
    """Figures 9 to 16: how often agent and peer take each action, with the peers of one temperament."""
    selector, panels = RunSelector(runs), []
    lines = [line(selector, label, env_config, SEEDS["9-16"])]
    lines += [exact_line(selector, label, env_config)] if label in EXACT else []
    note_runs(selector, f"{TITLES[env_config]}, {kind} peers", lines)
    names = GAMES[env_config].actions
    for each in lines:
        for who, metric in (("agent", "test_action"), ("peer", "test_peer_action")):
            curves = {name: chain_curve(each.runs, f"{metric}_{name}", f"_{kind}") for name in names}
            drawn = {name: curve for name, curve in curves.items() if curve is not None}
            title = f"{each.entry}{'*' * (each.entry in selector.marks(env_config))}: {who}"
            ticks = chain_ticks(drawn.values())
            panels.append(
                Panel(
                    title, title, drawn, y_label="action probability", counted=False, ticks=ticks, share=True
                )
            )
    drawn = [panel for panel in panels if panel.curves]
    return selector.figure(drawn, "joint policy", f"{SAID}; shares of all steps of all matches", names)


actions_9 = partial(actions, META_PG, IPD, "cooperating")
actions_10 = partial(actions, LOLA, IPD, "cooperating")
actions_11 = partial(actions, REINFORCE, IPD, "cooperating")
actions_12 = partial(actions, META_MAPG, IPD, "cooperating")
actions_13 = partial(actions, META_PG, RPS, "scissors")
actions_14 = partial(actions, LOLA, RPS, "scissors")
actions_15 = partial(actions, REINFORCE, RPS, "scissors")
actions_16 = partial(actions, META_MAPG, RPS, "scissors")
