"""What Meta-MAPG's paper says of its results, claim by claim."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from cohort.analysis.runs import Run
from papers.claim import Best, Claim, Difference, Level, Measure, Row, Side, Similar
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
    OWN_CONSTANT,
    PLAYERS,
    REINFORCE,
    RPS,
    SEEDS,
    TITLES,
    TRAJECTORIES,
    line,
    with_teammates,
)

HALF = 0.5
ALIKE = 40.0  # return of a match: a tenth of what lies between the least and the most able teammate
FIRST = 2  # joint policies in which rock-paper-scissors is lost on purpose
BY_AUC = "the AUC, the reward's sum over phi_1 .. phi_L at meta-testing"
BY_RETURN = "the return of a match at meta-testing, mean over phi_0 .. phi_L"
COOPERATING = "with cooperating personas at meta-testing"


def claims(runs: Sequence[Run]) -> list[Claim]:
    """All of them, in the order of the paper."""
    return [
        *ADAPTATION,
        *MATCHES,
        *DISTRIBUTIONS,
        MODELLING,
        *COMPETITION,
        *OPPONENTS,
        ABLATIONS,
        *cooperation(runs),
    ]


def side(label: str, env_config: str, seeds: int, **typed: object) -> Side:
    """The runs of a method in a game."""
    return lambda selector: line(selector, label, env_config, seeds, **typed).runs


def sides(labels: Iterable[str], env_config: str, seeds: int, **typed: object) -> dict[str, Side]:
    """The runs of several methods in a game."""
    return {label: side(label, env_config, seeds, **typed) for label in labels}


def measure(reading: Callable[[Run], float | None]) -> Measure:
    """A number of the last test of a run."""
    return Measure(lambda run, until: reading(run), headline=AUC)


def last_of(metric: str) -> Measure:
    return measure(lambda run: run.last(metric))


def at_end(metric: str) -> Measure:
    """A metric at phi_L, with cooperating peers."""
    return measure(lambda run: run.last(f"{metric}_phi_{run.config['chain_length']}_cooperating"))


def decline(run: Run) -> float | None:
    """How much less a step pays at phi_L than at phi_1."""
    ends = [run.last(f"test_reward_phi_{place}") for place in (1, run.config["chain_length"])]
    return None if None in ends else ends[0] - ends[1]


def late_gain(run: Run) -> float | None:
    return _mean(run, "test_reward", range(FIRST, run.config["chain_length"] + 1))


def mean_return(run: Run) -> float | None:
    return _mean(run, "test_return", range(run.config["chain_length"] + 1))


def _mean(run: Run, metric: str, places: Sequence[int]) -> float | None:
    values = [run.last(f"{metric}_phi_{place}") for place in places]
    return None if None in values else float(np.mean(values))


def by_auc(where: str, groups: Mapping[str, Side], *names: str) -> Row:
    """The AUC of one side minus that of another; `names` chooses them among more."""
    chosen = {name: groups[name] for name in names} if names else groups
    return Difference(where, chosen, last_of(AUC))


DILEMMA = sides(COMPARED, IPD, SEEDS["2"])
CONTEST = sides(COMPARED, RPS, SEEDS["2"])

# question 1
ADAPTATION = [
    Claim(
        "1",
        f"{META_MAPG} gets more than all baselines (Fig. 2a, b)",
        f"{BY_AUC}: {META_MAPG} minus the best of the others, which is named.",
        [Best(f"IPD, {kind}", DILEMMA, last_of(f"{AUC}_{kind}")) for kind in ("cooperating", "defecting")],
    ),
    Claim(
        "2",
        "rewards fall from update to update, for all methods (Q1)",
        "the reward per step at phi_1 minus that at phi_L, at meta-testing.",
        [Level(f"IPD, {label}", {"": each}, measure(decline)) for label, each in DILEMMA.items()],
    ),
    Claim(
        "3",
        "the baselines begin by defecting (Fig. 9-11)",
        f"the share of defection at phi_0 {COOPERATING}, minus {HALF:g}.",
        [
            Level(
                f"IPD, {label}", {"": DILEMMA[label]}, last_of("test_action_defect_phi_0_cooperating"), level=HALF
            )
            for label in COMPARED[1:]
        ],
    ),
    Claim(
        "4",
        f"{META_MAPG} begins by cooperating (Fig. 12)",
        f"the share of cooperation at phi_0 {COOPERATING}, minus {HALF:g}.",
        [
            Level(
                "IPD", {"": DILEMMA[META_MAPG]}, last_of("test_action_cooperate_phi_0_cooperating"), level=HALF
            )
        ],
    ),
    Claim(
        "5",
        f"{META_MAPG} then defects on peers that still cooperate (Fig. 12)",
        f"the shares of its defection and of the peer's cooperation at phi_L {COOPERATING}, minus {HALF:g} each.",
        [
            Level(f"IPD, {what}", {"": DILEMMA[META_MAPG]}, at_end(metric), level=HALF)
            for what, metric in (
                ("agent defects", "test_action_defect"),
                ("peer cooperates", "test_peer_action_cooperate"),
            )
        ],
    ),
    Claim(
        "6",
        "its peers cooperate longer than the baselines' (Fig. 9-12)",
        f"the share of the peer's cooperation at phi_L {COOPERATING}: {META_MAPG} minus the best of the others.",
        [Best("IPD", DILEMMA, at_end("test_peer_action_cooperate"))],
    ),
]  # fmt: skip

# question 2
BY_K = {k: sides(COMPARED, IPD, SEEDS["3a"], trajectories=k) for k in TRAJECTORIES}
EXTREMES = {f"K = {k}": BY_K[k] for k in (TRAJECTORIES[-1], TRAJECTORIES[0])}
MATCHES = [
    Claim(
        "7",
        f"{META_MAPG} has the best AUC with any K (Fig. 3a)",
        f"{BY_AUC}: {META_MAPG} minus the best of the others, which is named.",
        [Best(f"IPD, K = {k}", groups, last_of(AUC)) for k, groups in BY_K.items()],
    ),
    Claim(
        "8",
        "the AUC falls with fewer matches K (Fig. 3a)",
        f"{BY_AUC}: {' minus '.join(EXTREMES)}.",
        [by_auc(f"IPD, {label}", {k: groups[label] for k, groups in EXTREMES.items()}) for label in COMPARED],
    ),
]

# question 3
BEYOND = sides((META_MAPG, META_PG), IPD, SEEDS["q3"], out_of_distribution=True)
DISTRIBUTIONS = [
    Claim(
        "9",
        f"out of distribution {META_MAPG} gets less (Q3)",
        f"{BY_AUC}: in distribution minus out of it; {META_PG}, which gets more in the paper, to compare.",
        [
            Difference(
                f"IPD, {label}", {"in": DILEMMA[label], "out": BEYOND[label]}, last_of(AUC), judged=label == META_MAPG
            )
            for label in BEYOND
        ],
    ),
    Claim(
        "10",
        f"out of distribution {META_MAPG} still gets more than {META_PG} (Q3)",
        f"{BY_AUC}, out of distribution: {META_MAPG} minus {META_PG}.",
        [by_auc("IPD", BEYOND)],
    ),
]  # fmt: skip

# question 4
PAIRS = ((OM, META_PG), (META_MAPG, OM))
MODELLING = Claim(
    "11",
    f"{OM} gets more than {META_PG}, and less than {META_MAPG} (Fig. 4a)",
    f"{BY_AUC}: {'; '.join(map(' minus '.join, PAIRS))}.",
    [
        by_auc(f"IPD, {' against '.join(pair)}", {**DILEMMA, OM: side(OM, IPD, SEEDS["4a"])}, *pair)
        for pair in PAIRS
    ],
)

# question 5
COMPETITION = [
    Claim(
        "12",
        f"{META_MAPG} gets more than all baselines (Fig. 2c)",
        f"{BY_AUC}: {META_MAPG} minus the best of the others, which is named.",
        [Best("RPS", CONTEST, last_of(AUC))],
    ),
    Claim(
        "13",
        f"{META_MAPG} loses the first two rounds to win the later ones (Q5)",
        "minus the reward per step at phi_0 and at phi_1, each by itself; the mean from phi_2 on.",
        [
            *(
                Level(
                    f"RPS, loss at phi_{place}",
                    {"": CONTEST[META_MAPG]},
                    last_of(f"test_reward_phi_{place}"),
                    below=True,
                )
                for place in range(FIRST)
            ),
            Level("RPS, gain from phi_2 on", {"": CONTEST[META_MAPG]}, measure(late_gain)),
        ],
    ),
]

# question 6
BY_N = {n: sides((META_MAPG, META_PG), RPS, SEEDS["4b"], **{"env_args.n_agents": n}) for n in PLAYERS}
OPPONENTS = [
    Claim(
        "14",
        f"{META_MAPG} gets more than {META_PG} with 3 and 4 agents (Fig. 4b)",
        f"{BY_AUC}: {META_MAPG} minus {META_PG}.",
        [by_auc(f"RPS, {n} agents", groups) for n, groups in BY_N.items()],
    ),
    Claim(
        "15",
        "more agents leave less to gain (Fig. 4b)",
        f"{BY_AUC}: with {PLAYERS[0]} agents minus with {PLAYERS[1]}.",
        [
            by_auc(f"RPS, {label}", {f"{n} agents": BY_N[n][label] for n in PLAYERS})
            for label in (META_MAPG, META_PG)
        ],
    ),
]

# question 7
WITHOUT = (META_PG, NO_OWN, OWN_CONSTANT)
ABLATIONS = Claim(
    "16",
    f"{META_MAPG} gets more than without own and without peer learning (Fig. 4c)",
    f"{BY_AUC}: {META_MAPG} minus the other; {META_PG} is without peer learning. The paper does not say what is left "
    f"of own learning: {NO_OWN} is equation 6 without its own sum, {OWN_CONSTANT} has that sum and holds its own "
    "updates constant.",
    [
        by_auc(
            f"RPS, against {other}",
            {**CONTEST, **{label: side(label, RPS, SEEDS["4c"]) for label in (NO_OWN, OWN_CONSTANT)}},
            META_MAPG,
            other,
        )
        for other in WITHOUT
    ],
)


def cooperation(runs: Sequence[Run]) -> list[Claim]:
    """Question 8; whose teammates the methods met is read off the runs."""
    groups = sides(COMPARED, CHEETAH, SEEDS["2d"], **with_teammates(runs))
    learners, others = (META_MAPG, META_PG), (LOLA, REINFORCE)
    return [
        Claim(
            "17",
            f"{META_MAPG} and {META_PG} get much the same (Fig. 2d)",
            f"{BY_RETURN}: alike within {ALIKE:g}, a tenth of what lies between the least and the most able teammate.",
            [
                Similar(
                    TITLES[CHEETAH],
                    {label: groups[label] for label in learners},
                    measure(mean_return),
                    margin=ALIKE,
                )
            ],
        ),
        Claim(
            "18",
            f"both get more than {LOLA} and {REINFORCE} (Fig. 2d)",
            f"{BY_RETURN}: minus the best of {LOLA} and {REINFORCE}, which is named.",
            [
                Best(
                    f"{TITLES[CHEETAH]}, {ours}",
                    {label: groups[label] for label in (ours, *others)},
                    measure(mean_return),
                )
                for ours in learners
            ],
        ),
    ]
