"""What ADER's paper says of its figures, claim by claim."""

from collections.abc import Sequence

from cohort.analysis.runs import Run
from papers.ader.arms import (
    ADER,
    CHEETAH,
    DCE,
    EASY,
    GAME,
    HARD,
    HUNT,
    IN_CONTINUOUS,
    IN_GAME,
    IN_SMAC,
    NO_EMA,
    REVERSED,
    SEEDS,
    SER,
    SIMULATED,
    SINGLE,
    arm,
    on_map,
)
from papers.ader.figures import RETURN, REWARD, TITLES, WIN_RATE
from papers.ader.junction import ENTROPIES, change
from papers.claim import Best, Claim, Difference, Level, Measure, Row, Side
from papers.evidence import first_half, late, unsteadiness

CIRCLE = 4.79  # the matrix game's reward where the path meets the circle
GAME_END = Measure(late(REWARD), RETURN, RETURN)
WINS, EARLY_WINS = (
    Measure(late(WIN_RATE, "steps"), WIN_RATE, WIN_RATE, "steps"),
    Measure(first_half(WIN_RATE, "steps"), WIN_RATE, WIN_RATE, "steps"),
)
WIN_SWINGS = Measure(unsteadiness(WIN_RATE, "steps"), WIN_RATE, WIN_RATE, "steps")
END = Measure(late(RETURN), RETURN, RETURN)
BY_WINS = "the test win rate over the last tenth of the steps, in our simulator of SMAC"
BY_REWARD = "the reward of the tested joint action over the last tenth of the episodes"


def claims(runs: Sequence[Run]) -> list[Claim]:
    """All of them, in the order of the paper."""
    return [
        Claim(
            "1",
            "ADER reaches the circle of the matrix game (Fig. 2a)",
            f"{BY_REWARD}, less {CIRCLE:g}, with which the circle begins.",
            [Level("matrix game", in_game(ADER), GAME_END, level=CIRCLE)],
        ),
        Claim(
            "2",
            f"{SER}, {DCE} and {REVERSED} do not (Fig. 2a)",
            f"{CIRCLE:g} less {BY_REWARD}.",
            [
                Level(f"matrix game, {label}", in_game(label), GAME_END, level=CIRCLE, below=True)
                for label in (SER, DCE, REVERSED)
            ],
        ),
        Claim(
            "3",
            "until the corner H_1 rises and H_2 falls, then the reverse (Fig. 2b)",
            "by how much H_2 falls, or rises, until the first test whose mean action is within 0.05 of (0.6, 0), and "
            "from then on; the mean of the two stays, so that H_1 does the reverse and is no second test.",
            [
                _second_entropy("H_2 falls until the corner", after=False),
                _second_entropy("H_2 rises from there on", after=True),
            ],
        ),
        Claim(
            "4",
            f"{DCE} ends slightly above {SER} (section 4)",
            f"{BY_REWARD}: {DCE} minus {SER}.",
            [Difference("matrix game", in_game(DCE, SER), GAME_END)],
        ),
        Claim(
            "5",
            "ADER ends above the others in the matrix game (Fig. 2a)",
            f"{BY_REWARD}: ADER minus the best of the others, which is named.",
            [Best("matrix game", in_game(*IN_GAME), GAME_END)],
        ),
        Claim(
            "6",
            "ADER ends above all baselines on sparse SMAC (Fig. 3)",
            f"{BY_WINS}: ADER minus the best of the others, which is named.",
            [Best(each, in_smac(each, *IN_SMAC), WINS) for each in (*EASY, *HARD)],
        ),
        Claim(
            "7",
            "on the hard maps ADER learns faster, too (Fig. 3e-h)",
            "the area under the curve of the test win rate over the first half of the steps, divided by their "
            "number: ADER minus the best of the others, which is named.",
            [Best(each, in_smac(each, *IN_SMAC), EARLY_WINS) for each in HARD],
        ),
        Claim(
            "8",
            "ADER ends above SER-MARL and FACMAC where actions are continuous (Fig. 4)",
            "the test return over the last tenth of the episodes: ADER minus the best of the others, which is named.",
            [Best(TITLES[each], continuous(each, *IN_CONTINUOUS), END) for each in (CHEETAH, HUNT)],
        ),
        Claim(
            "9",
            f"ADER ends above {SER} on sparse SMAC (Fig. 5)",
            f"{BY_WINS}: ADER minus {SER}.",
            [Difference(each, in_smac(each, ADER, SER), WINS) for each in HARD],
        ),
        Claim(
            "10",
            "the moving average of target entropies makes ADER steadier (Fig. 5)",
            "the standard deviation of the test win rate's changes from test to test, over the second half of the "
            "episodes: without the average minus with it.",
            [Difference(each, in_smac(each, NO_EMA, ADER), WIN_SWINGS) for each in HARD],
        ),
        Claim(
            "11",
            "two kinds of critics end above one (Fig. 5)",
            f"{BY_WINS}: ADER minus {SINGLE}.",
            [Difference(each, in_smac(each, ADER, SINGLE), WINS) for each in HARD],
        ),
    ]


def in_game(*labels: str) -> dict[str, Side]:
    """The runs of methods in the matrix game."""
    return {label: _side(label, SEEDS["2"]) for label in labels}


def in_smac(map_name: str, *labels: str) -> dict[str, Side]:
    """The runs of methods on a map of the simulator."""
    return {label: _map_side(label, map_name) for label in labels}


def continuous(env_config: str, *labels: str) -> dict[str, Side]:
    """The runs of methods in a task with continuous actions."""
    return {label: _side(label, SEEDS["4"], env_config) for label in labels}


def _side(label: str, wanted: int, env_config: str = GAME) -> Side:
    return lambda selector: selector.of(label, arm(label, env_config), wanted)


def _map_side(label: str, map_name: str) -> Side:
    return lambda selector: on_map(selector, label, SIMULATED, map_name, SEEDS["3"])


def _second_entropy(where: str, *, after: bool) -> Row:
    """Whether H_2 falls until the corner, or with `after` rises from there on."""
    measure = Measure(change(1, after=after), ENTROPIES[1], ENTROPIES[1])
    return Level(where, in_game(ADER), measure, below=not after)
