"""What MNMPG's paper says of its figures, claim by claim."""

from collections.abc import Sequence

from cohort.analysis.runs import Run
from papers.claim import Best, Claim, Difference, Level, Measure, Row, Side, Similar
from papers.evidence import Reading, late, unsteadiness
from papers.mnmpg.arms import (
    ABLATED,
    ABLATION_SEEDS,
    CONTROL_MAPS,
    EASY,
    FIGURE_2,
    FRESH,
    H1,
    H10,
    HARD,
    IN_VISITATION,
    LARGE,
    MNMPG,
    NO_GRAD,
    NO_LR,
    NO_S,
    ONE_RODE,
    QMIX,
    RODE,
    ROLES,
    SEEDS,
    T1000,
    T2000,
    TWO_RODE,
    VDN,
    compared,
    on_map,
)
from papers.mnmpg.figures import WIN_RATE
from papers.mnmpg.visitation import distance_at, narrowing

ALIKE = 0.05  # win rate
NEAR_ZERO = 0.1  # a win rate below it counts as near 0
END = Measure(late(WIN_RATE, "steps"), WIN_RATE, WIN_RATE, "steps")
SWINGS = Measure(unsteadiness(WIN_RATE, "steps"), WIN_RATE, WIN_RATE, "steps")
BY_WINS = "the test win rate over the last tenth of the steps, in our simulator of SMAC"
BY_PLACES = "the mean distance of two states that greedy episodes visit"


def claims(runs: Sequence[Run]) -> list[Claim]:
    """All of them, in the order of the paper."""
    return [
        Claim(
            "1",
            "MNMPG ends above the others on 4 of 5 super hard maps and on 5m_vs_6m (Fig. 2)",
            f"{BY_WINS}: MNMPG minus the best of the others, which is named.",
            [_best(each) for each in FIGURE_2 if each != ROLES],
        ),
        Claim(
            "2",
            "on corridor MNMPG and QMIX stay near 0 (Fig. 2)",
            f"{NEAR_ZERO:g} less {BY_WINS}.",
            [
                Level(f"{ROLES}, {label}", _sides(ROLES, label), END, level=NEAR_ZERO, below=True)
                for label in (MNMPG, QMIX)
            ],
        ),
        Claim(
            "3",
            "MNMPG ends above the others on 3 of 4 hard maps (Fig. B.1)",
            f"{BY_WINS}: MNMPG minus the best of the others, which is named.",
            [_best(each) for each in HARD],
        ),
        Claim(
            "4",
            "on easy maps all end alike (Fig. B.2)",
            f"{BY_WINS}: MNMPG and RODE alike within {ALIKE:g}.",
            [Similar(each, _sides(each, MNMPG, RODE), END, margin=ALIKE) for each in EASY],
        ),
        Claim(
            "5",
            "greedy teams of VDN go to more of the states than QMIX's, those to more than MNMPG's (Fig. 3)",
            f"{BY_PLACES} at the last stage: the first minus the second.",
            [
                Difference(
                    f"{ABLATED}, {more} - {less}", _sides(ABLATED, more, less), _places(distance_at(-1))
                )
                for more, less in ((VDN, QMIX), (QMIX, MNMPG))
            ],
        ),
        Claim(
            "6",
            "MNMPG's places narrow with training, those of QMIX and VDN do not (Fig. 3)",
            f"{BY_PLACES}: by how much it falls from the first stage to the last, or for QMIX and VDN rises.",
            [
                Level(f"{ABLATED}, {label}", _sides(ABLATED, label), _places(narrowing), below=label != MNMPG)
                for label in IN_VISITATION
            ],
        ),
        Claim(
            "7",
            "MNMPG's mixer makes RODE better, and steadier (Fig. 4)",
            f"{BY_WINS}: {ONE_RODE} minus RODE; and the standard deviation of its changes from test to test over the "
            f"second half of the steps: RODE minus {ONE_RODE}.",
            [
                Difference(f"{ROLES}, win rate", _sides(ROLES, ONE_RODE, RODE), END),
                Difference(f"{ROLES}, swings", _sides(ROLES, RODE, ONE_RODE), SWINGS),
            ],
        ),
        Claim(
            "8",
            "for role policies alone it is slightly better than for the role selector, too (Fig. 4)",
            f"{BY_WINS}: {ONE_RODE} minus {TWO_RODE}.",
            [Difference(ROLES, _sides(ROLES, ONE_RODE, TWO_RODE), END)],
        ),
        Claim(
            "9",
            "a larger mixer alone brings nothing (Fig. 5a: 6h_vs_8z)",
            f"{BY_WINS}: {LARGE} and QMIX alike within {ALIKE:g}; MNMPG minus {LARGE}.",
            [row for each in CONTROL_MAPS for row in (_larger(each), _ablation(LARGE, each))],
        ),
        Claim(
            "10",
            "the Q-learning loss must train the hierarchy, too: without it about 15 points less (Fig. 5b)",
            f"{BY_WINS}: MNMPG minus {NO_GRAD}.",
            [_ablation(NO_GRAD)],
        ),
        Claim(
            "11",
            "the mixer must see the state: without it about 40 points less (Fig. 5b)",
            f"{BY_WINS}: MNMPG minus {NO_S}.",
            [_ablation(NO_S)],
        ),
        Claim(
            "12",
            "a meta round each 500 steps is better than each 1,000 or 2,000 (Fig. 5c)",
            f"{BY_WINS}: MNMPG minus the other.",
            [_ablation(T1000), _ablation(T2000)],
        ),
        Claim(
            "13",
            "three dimensions are better than one or ten, and ten better than one (Fig. 5c)",
            f"{BY_WINS}: the first minus the second.",
            [
                _ablation(H1),
                _ablation(H10),
                Difference(f"{ABLATED}, {H10} - {H1}", _controlled(ABLATED, H10, H1), END),
            ],
        ),
        Claim(
            "14",
            "it is the meta gradient that helps (sections 1 and 4.4; the paper has no such runs)",
            f"{BY_WINS}: MNMPG minus its schedule without a gradient, and minus a gradient of mean zero.",
            [_ablation(label, each) for each in CONTROL_MAPS for label in (NO_LR, FRESH)],
        ),
    ]


def _best(map_name: str) -> Row:
    others = [label for label in compared(map_name) if label != MNMPG]
    return Best(map_name, _sides(map_name, MNMPG, *others), END)


def _ablation(label: str, map_name: str = ABLATED) -> Row:
    return Difference(f"{map_name}, MNMPG - {label}", _controlled(map_name, MNMPG, label), END)


def _larger(map_name: str) -> Row:
    return Similar(f"{map_name}, {LARGE} and QMIX", _controlled(map_name, LARGE, QMIX), END, margin=ALIKE)


def _controlled(map_name: str, *labels: str) -> dict[str, Side]:
    return _sides(map_name, *labels, wanted=ABLATION_SEEDS)


def _sides(map_name: str, *labels: str, wanted: int = SEEDS) -> dict[str, Side]:
    return {label: _side(label, map_name, wanted) for label in labels}


def _side(label: str, map_name: str, wanted: int) -> Side:
    return lambda selector: on_map(selector, label, map_name, wanted)


def _places(reading: Reading) -> Measure:
    return Measure(reading, WIN_RATE)
