"""What Meta-MAPG's paper says of its results, statement by statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cohort.analysis.runs import Run
from papers.evidence import (
    Claim,
    Estimate,
    Finding,
    Values,
    best_of,
    difference,
    estimate,
    finding,
    sides,
    similar,
)
from papers.figure_spec import RunSelector
from papers.meta_mapg.arms import (
    AUC,
    CHEETAH,
    COMPARED,
    IPD,
    LOLA,
    META_MAPG,
    META_PG,
    NO_OWN,
    OM,
    PLAYERS,
    REINFORCE,
    RPS,
    SEEDS,
    TITLES,
    TRAJECTORIES,
    Line,
    line,
    updates_of,
    with_teammates,
)

BASELINES = COMPARED[1:]
HALF = 0.5
FIRST = 2  # joint policies in which rock-paper-scissors is lost on purpose
Reading = Callable[[Run], float | None]  # one number of a run


BY_AUC = "the AUC, the reward's sum over phi_1 .. phi_L at meta-testing"
COOPERATING = "with cooperating personas at meta-testing"


def statements(selector: RunSelector) -> list[Claim]:
    """All of them, in the order of the paper."""
    dilemma, contest = (
        {label: line(selector, label, world, SEEDS["2"]) for label in COMPARED} for world in (IPD, RPS)
    )
    return [
        *_adaptation(dilemma),
        *_matches(selector),
        *_distributions(selector, dilemma),
        _modelling(selector, dilemma),
        *_competition(contest),
        *_players(selector),
        _ablations(selector, contest),
        *_cooperation(selector),
    ]


def _adaptation(dilemma: Mapping[str, Line]) -> list[Claim]:
    """Question 1."""
    ours = dilemma[META_MAPG]
    begins = "test_action_{}_phi_0_cooperating"
    return [
        Claim(
            "1",
            f"{META_MAPG} gets more than all baselines (Fig. 2a, b)",
            f"{BY_AUC}: {META_MAPG} minus the best of the others, which is named.",
            [
                _best(f"IPD, {kind}", dilemma, last_of(f"{AUC}_{kind}"))
                for kind in ("cooperating", "defecting")
            ],
        ),
        Claim(
            "2",
            "rewards fall from update to update, for all methods (Q1)",
            "the reward per step at phi_1 minus that at phi_L, at meta-testing.",
            [_above(f"IPD, {label}", each, decline) for label, each in dilemma.items()],
        ),
        Claim(
            "3",
            "the baselines begin by defecting (Fig. 9-11)",
            f"the share of defection at phi_0 {COOPERATING}, minus {HALF:g}.",
            [
                _above(f"IPD, {label}", dilemma[label], last_of(begins.format("defect")), HALF)
                for label in BASELINES
            ],
        ),
        Claim(
            "4",
            f"{META_MAPG} begins by cooperating (Fig. 12)",
            f"the share of cooperation at phi_0 {COOPERATING}, minus {HALF:g}.",
            [_above("IPD", ours, last_of(begins.format("cooperate")), HALF)],
        ),
        Claim(
            "5",
            f"{META_MAPG} then defects on peers that still cooperate (Fig. 12)",
            f"the shares of its defection and of the peer's cooperation at phi_L {COOPERATING}, minus {HALF:g} each.",
            [
                _above("IPD, agent defects", ours, at_end("test_action_defect"), HALF),
                _above("IPD, peer cooperates", ours, at_end("test_peer_action_cooperate"), HALF),
            ],
        ),
        Claim(
            "6",
            "its peers cooperate longer than the baselines' (Fig. 9-12)",
            f"the share of the peer's cooperation at phi_L {COOPERATING}: {META_MAPG} minus the best of the others.",
            [_best("IPD", dilemma, at_end("test_peer_action_cooperate"))],
        ),
    ]


def _matches(selector: RunSelector) -> list[Claim]:
    """Question 2."""
    by_k = {
        k: {label: line(selector, label, IPD, SEEDS["3a"], trajectories=k) for label in COMPARED}
        for k in TRAJECTORIES
    }
    ends = {f"K = {k}": by_k[k] for k in (TRAJECTORIES[-1], TRAJECTORIES[0])}
    return [
        Claim(
            "7",
            f"{META_MAPG} has the best AUC with any K (Fig. 3a)",
            f"{BY_AUC}: {META_MAPG} minus the best of the others, which is named.",
            [_best(f"IPD, K = {k}", lines, last_of(AUC)) for k, lines in by_k.items()],
        ),
        Claim(
            "8",
            "the AUC falls with fewer matches K (Fig. 3a)",
            f"{BY_AUC}: {' minus '.join(ends)}.",
            [
                _compared(f"IPD, {label}", {k: lines[label] for k, lines in ends.items()})
                for label in COMPARED
            ],
        ),
    ]


def _distributions(selector: RunSelector, dilemma: Mapping[str, Line]) -> list[Claim]:
    """Question 3."""
    beyond = {
        label: line(selector, label, IPD, SEEDS["q3"], out_of_distribution=True)
        for label in (META_MAPG, META_PG)
    }
    drops = {
        label: _compared(f"IPD, {label}", {"in": dilemma[label], "out": beyond[label]}) for label in beyond
    }
    return [
        Claim(
            "9",
            f"out of distribution {META_MAPG} gets less (Q3)",
            f"{BY_AUC}: in distribution minus out of it; {META_PG}, which gets more in the paper, to compare.",
            [drops[META_MAPG], replace(drops[META_PG], verdict="")],
        ),
        Claim(
            "10",
            f"out of distribution {META_MAPG} still gets more than {META_PG} (Q3)",
            f"{BY_AUC}, out of distribution: {META_MAPG} minus {META_PG}.",
            [_compared("IPD", beyond)],
        ),
    ]


def _modelling(selector: RunSelector, dilemma: Mapping[str, Line]) -> Claim:
    """Question 4."""
    lines = {**dilemma, OM: line(selector, OM, IPD, SEEDS["4a"])}
    pairs = ((OM, META_PG), (META_MAPG, OM))
    return Claim(
        "11",
        f"{OM} gets more than {META_PG}, and less than {META_MAPG} (Fig. 4a)",
        f"{BY_AUC}: {'; '.join(map(' minus '.join, pairs))}.",
        [
            _compared(f"IPD, {' against '.join(pair)}", {label: lines[label] for label in pair})
            for pair in pairs
        ],
    )


def _competition(contest: Mapping[str, Line]) -> list[Claim]:
    """Question 5."""
    ours = contest[META_MAPG]
    return [
        Claim(
            "12",
            f"{META_MAPG} gets more than all baselines (Fig. 2c)",
            f"{BY_AUC}: {META_MAPG} minus the best of the others, which is named.",
            [_best("RPS", contest, last_of(AUC))],
        ),
        Claim(
            "13",
            f"{META_MAPG} loses the first two rounds to win the later ones (Q5)",
            "minus the mean reward per step at phi_0 and phi_1; the mean from phi_2 on.",
            [
                _above("RPS, loss at phi_0 and phi_1", ours, first_loss),
                _above("RPS, gain from phi_2 on", ours, late_gain),
            ],
        ),
    ]


def _players(selector: RunSelector) -> list[Claim]:
    """Question 6."""
    by_n = {
        n: {
            label: line(selector, label, RPS, SEEDS["4b"], **{"env_args.n_agents": n})
            for label in (META_MAPG, META_PG)
        }
        for n in PLAYERS
    }
    return [
        Claim(
            "14",
            f"{META_MAPG} gets more than {META_PG} with 3 and 4 agents (Fig. 4b)",
            f"{BY_AUC}: {META_MAPG} minus {META_PG}.",
            [_compared(f"RPS, {n} agents", lines) for n, lines in by_n.items()],
        ),
        Claim(
            "15",
            "more agents leave less to gain (Fig. 4b)",
            f"{BY_AUC}: with {PLAYERS[0]} agents minus with {PLAYERS[1]}.",
            [
                _compared(f"RPS, {label}", {f"{n} agents": by_n[n][label] for n in PLAYERS})
                for label in (META_MAPG, META_PG)
            ],
        ),
    ]


def _ablations(selector: RunSelector, contest: Mapping[str, Line]) -> Claim:
    """Question 7."""
    lines = {**contest, NO_OWN: line(selector, NO_OWN, RPS, SEEDS["4c"])}
    return Claim(
        "16",
        f"{META_MAPG} gets more than without own and without peer learning (Fig. 4c)",
        f"{BY_AUC}: {META_MAPG} minus the other; {META_PG} is without peer learning.",
        [
            _compared(f"RPS, against {other}", {label: lines[label] for label in (META_MAPG, other)})
            for other in (META_PG, NO_OWN)
        ],
    )


def _cooperation(selector: RunSelector) -> list[Claim]:
    """Question 8."""
    typed = with_teammates(selector.runs)
    lines = {label: line(selector, label, CHEETAH, SEEDS["2d"], **typed) for label in COMPARED}
    by_return = "the return of a match at meta-testing, mean over phi_0 .. phi_L"
    learners = (META_MAPG, META_PG)
    values = {label: _read(lines[label], mean_return) for label in learners}
    row = _finding(TITLES[CHEETAH], values, None, {label: lines[label] for label in learners})
    return [
        Claim(
            "17",
            f"{META_MAPG} and {META_PG} get much the same (Fig. 2d)",
            f"{by_return}: true if their means differ by no more than the standard deviation of seeds.",
            [similar(row, list(values.values()))],
        ),
        Claim(
            "18",
            f"both get more than {LOLA} and {REINFORCE} (Fig. 2d)",
            f"{by_return}: minus the best of {LOLA} and {REINFORCE}, which is named.",
            [
                _best(
                    f"{TITLES[CHEETAH]}, {ours}",
                    {label: lines[label] for label in (ours, LOLA, REINFORCE)},
                    mean_return,
                    ours,
                )
                for ours in learners
            ],
        ),
    ]


def last_of(metric: str) -> Reading:
    return lambda run: run.last(metric)


def at_end(metric: str) -> Reading:
    """A metric at phi_L, with cooperating peers."""
    return lambda run: run.last(f"{metric}_phi_{run.config['chain_length']}_cooperating")


def decline(run: Run) -> float | None:
    """How much less a step pays at phi_L than at phi_1."""
    ends = [run.last(f"test_reward_phi_{place}") for place in (1, run.config["chain_length"])]
    return None if None in ends else ends[0] - ends[1]


def first_loss(run: Run) -> float | None:
    gain = _mean(run, "test_reward", range(FIRST))
    return None if gain is None else -gain


def late_gain(run: Run) -> float | None:
    return _mean(run, "test_reward", range(FIRST, run.config["chain_length"] + 1))


def mean_return(run: Run) -> float | None:
    return _mean(run, "test_return", range(run.config["chain_length"] + 1))


def _mean(run: Run, metric: str, places: Sequence[int]) -> float | None:
    values = [run.last(f"{metric}_phi_{place}") for place in places]
    return None if None in values else float(np.mean(values))


def _read(each: Line, reading: Reading) -> Values:
    """Seed to number, of those runs that have one."""
    values = {run.seed: reading(run) for run in each.runs}
    return {seed: value for seed, value in values.items() if value is not None and np.isfinite(value)}


def _best(where: str, lines: Mapping[str, Line], reading: Reading, ours: str = META_MAPG) -> Finding:
    """Ours against the best of the others; all of them must be there."""
    values = {label: _read(each, reading) for label, each in lines.items()}
    best = best_of({label: side for label, side in values.items() if label != ours})
    if best is None or not values[ours]:
        return _finding(where, values, None, lines)
    return _finding(f"{where}, against {best}", values, difference(values[ours], values[best]), lines)


def _compared(where: str, lines: Mapping[str, Line]) -> Finding:
    """The AUC of the first of two minus that of the second."""
    values = {label: _read(each, last_of(AUC)) for label, each in lines.items()}
    return _finding(where, values, difference(*values.values()), lines)


def _above(where: str, each: Line, reading: Reading, level: float = 0.0) -> Finding:
    values = _read(each, reading)
    return _finding(where, {"": values}, estimate(values, above=level), {"": each})


def _finding(
    where: str, values: Mapping[str, Values], found: Estimate | None, lines: Mapping[str, Line]
) -> Finding:
    runs = [run for each in lines.values() for run in each.runs]
    return finding(where, sides(values).strip(), found, runs, AUC, updates_of(runs))
