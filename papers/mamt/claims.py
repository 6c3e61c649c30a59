"""What MAMT's paper says of its figures and tables, claim by claim."""

from collections.abc import Sequence
from functools import partial

from cohort.analysis.runs import Run
from papers.claim import Apart, Claim, Difference, Level, Measure, Row, Side, Similar
from papers.evidence import Reading, fall, first_half, scaled, unsteadiness, whole
from papers.mamt.arms import (
    AGENTS,
    COORDINATED,
    FIXED,
    FULL,
    IN_DECOMPOSITION,
    MAAC,
    MADDPG,
    MAMD,
    MAMT,
    MAPPO,
    MIXED,
    OPTIMAL,
    PPO,
    PURSUIT,
    RANDOM,
    ROVER,
    SEPARATE,
    SMALL_SIGMA,
    SPREAD,
    TASKS,
    TITLES,
    WALKER,
    WS,
    coordinated,
    of,
    searched,
)
from papers.mamt.figures import COORDINATION, KL, NON_STATIONARITY, TRUST_REGION
from papers.mamt.readings import mutual_attention, varying
from papers.mamt.tables import BUDGET, LAST, RETURNS, WITHIN_BUDGET, of_an_agent

TRAINING, _ = RETURNS.values()
# an agent's return: about a tenth of what lies between a random team and the paper's MAMT; Spread's for its variants
ALIKE = {SPREAD: 2.5, SEPARATE: 2.5, FULL: 2.5, ROVER: 15.0, WALKER: 9.0, PURSUIT: 2.5}
SMALL, LARGE = (SPREAD, WALKER), (ROVER, PURSUIT)  # teams
WITHIN = "alike within a tenth of what lies between a random team and the paper's MAMT"
BY_RETURN = f"an agent's mean return over the last {LAST:,} training episodes that all runs have"


def claims(runs: Sequence[Run]) -> list[Claim]:
    """All of them; checks of noise first."""
    return [
        Claim(
            "0a",
            f"check of noise: with two agents {MAMT}, {RANDOM} and {FIXED} are one method",
            f"{BY_RETURN}: {WITHIN}. With the same seeds their runs are "
            "the same, number by number; with seeds of their own they differ by chance. The paper's means lie 4.98 "
            "apart, its seeds 0.8.",
            [_alike(SPREAD, MAMT, RANDOM, FIXED)],
        ),
        Claim(
            "0b",
            f"check of noise: {OPTIMAL} is {MAAC} in {TITLES[SEPARATE]}",
            f"{BY_RETURN}, as 0a.",
            [_alike(SEPARATE, OPTIMAL, MAAC)],
        ),
        Claim(
            "0c",
            f"check of noise: {OPTIMAL} is {MAMD} in {TITLES[FULL]}",
            f"{BY_RETURN}, as 0a.",
            [_alike(FULL, OPTIMAL, MAMD)],
        ),
        Claim(
            "1",
            f"{MAMT} ends above {MAAC} in all tasks (Fig. 2, Table 10)",
            f"{BY_RETURN}: {MAMT} minus {MAAC}.",
            [_higher(each, MAMT, MAAC) for each in TASKS],
        ),
        Claim(
            "1b",
            f"{MAMT} ends above {MAPPO} and {MADDPG} in all tasks (Fig. 2, Table 10)",
            f"{BY_RETURN}: {MAMT} minus the other.",
            [_higher(each, MAMT, label, named=True) for each in TASKS for label in (MAPPO, MADDPG)],
        ),
        Claim(
            "1c",
            f"{MAMT} ends above rivals whose values were searched (appendix G.2)",
            f"{BY_RETURN}: {MAMT} minus the other, both with what a search on seeds apart chose for them.",
            [_searched(label) for label in (MAAC, MAPPO, MADDPG)],
        ),
        Claim(
            "2",
            f"so does {MAMD} (Fig. 2, Table 10)",
            f"{BY_RETURN}: {MAMD} minus {MAAC}.",
            [_higher(each, MAMD, MAAC) for each in TASKS],
        ),
        Claim(
            "3",
            f"{MAMT} and {MAMD} are alike in Spread and Multi-Walker (section 4)",
            f"{BY_RETURN}: {WITHIN}.",
            [_alike(each, MAMT, MAMD) for each in SMALL],
        ),
        Claim(
            "4",
            f"{MAMT} ends above {MAMD} in Rover-Tower and Pursuit (section 4)",
            f"{BY_RETURN}: {MAMT} minus {MAMD}.",
            [_higher(each, MAMT, MAMD) for each in LARGE],
        ),
        Claim(
            "4b",
            f"so does {MAMT} where sigma keeps coefficients among eight agents (Table 9)",
            f"{BY_RETURN}: {MAMT} with sigma = {SMALL_SIGMA} minus the other. With Table 3's 0.2, which is above 1/7, "
            f"nearly all coefficients of eight agents are zero, and {MAMT} is {MAMD}.",
            [_coordinated(each, label) for each in LARGE for label in (MAMD, MAAC)],
        ),
        Claim(
            "5",
            f"{MAPPO} is no better than {MAAC} but in Spread, where it is slightly (section 4)",
            f"{BY_RETURN}: in Spread {MAPPO} minus {MAAC}, elsewhere {MAAC} minus {MAPPO}, where an interval that "
            "holds 0 agrees with the paper, too.",
            [_higher(SPREAD, MAPPO, MAAC), *(_higher(each, MAAC, MAPPO) for each in TASKS[1:])],
        ),
        Claim(
            "6",
            f"policies move less with {MAMT} than with {MAAC} (Fig. 3)",
            f"KL(pi_i || pi_i^old), mean over agents and the whole run: {MAAC} minus {MAMT}.",
            [_larger(each, MAAC, MAMT, Measure(whole(KL), TRAINING, TRAINING)) for each in TASKS],
        ),
        Claim(
            "7",
            f"{MAMT}'s non-stationarity D_ns falls (Fig. 3)",
            "D_ns over the first tenth of what was logged, minus over the last.",
            [_level(each, Measure(fall(NON_STATIONARITY), TRAINING)) for each in TASKS],
        ),
        Claim(
            "8",
            "coordination coefficients and trust regions vary more where teams are larger (Fig. 4, 5)",
            f"the standard deviation over a run, mean over pairs or agents, of {MAMT}'s C_ij and of the logarithm "
            "(base 10) of trust regions: the larger team's minus the smaller's.",
            [
                *(_apart(large, small, "C", varying(COORDINATION)) for large in LARGE for small in SMALL),
                *(
                    _apart(large, small, "trust region", varying(TRUST_REGION, logarithm=True))
                    for large in LARGE
                    for small in SMALL
                ),
            ],
        ),
        Claim(
            "9",
            f"{MAMT}'s trust regions keep within the budget most of the time (Table 2)",
            "the share of updates; the paper's share is there for comparison.",
            [
                Level(
                    f"{TITLES[each]}, the paper: {BUDGET[each]:.4f}",
                    sides(each, MAMT),
                    Measure(whole(WITHIN_BUDGET), TRAINING),
                    judged=False,
                )
                for each in TASKS
            ],
        ),
        Claim(
            "10",
            f"with fixed coefficients {MAMT} is like {MAMD}, with random ones it is the worst (appendix H)",
            f"{BY_RETURN}: {FIXED} and {MAMD}: {WITHIN}; {MAMT}, {FIXED} and {MAMD} minus {RANDOM}.",
            [
                *(_alike(each, FIXED, MAMD, where=f"{TITLES[each]}, alike") for each in TASKS),
                *(_higher(each, label, RANDOM) for each in TASKS[1:] for label in (MAMT, FIXED, MAMD)),
            ],
        ),
        Claim(
            "11",
            f"{WS} is unsteady (appendix H)",
            "the standard deviation of the change of an agent's return from one logged value to the next, over the "
            f"second half of the episodes: {WS} minus {MAMT}. The deviations over seeds stand in table 10.",
            [_larger(each, WS, MAMT, of_training(unsteadiness(TRAINING), each)) for each in TASKS],
        ),
        Claim(
            "12",
            f"{MAMT} learns from fewer episodes than {PPO} (Fig. 12)",
            "the area under the curve of an agent's training return over the first half of the episodes, divided by "
            f"their number: {MAMT} minus {PPO}.",
            [_larger(each, MAMT, PPO, of_training(first_half(TRAINING), each)) for each in TASKS],
        ),
        Claim(
            "13",
            f"{OPTIMAL}, which constrains those that depend on each other, ends above {MAAC} and {MAMD} (Fig. 8)",
            f"{BY_RETURN}: {OPTIMAL} minus the other; where both are one method 0b and 0c are of them.",
            [
                _higher(SEPARATE, OPTIMAL, MAMD),
                _higher(MIXED, OPTIMAL, MAMD),
                _higher(MIXED, OPTIMAL, MAAC),
                _higher(FULL, OPTIMAL, MAAC),
            ],
        ),
        Claim(
            "14",
            "critics attend to those that matter (Fig. 9)",
            "in Spread-3-Mix the attention of the first agent to the third and of the third to the first over the last "
            "tenth of the episodes, less a half, which is what equal attention would be.",
            [
                Level(
                    f"{TITLES[MIXED]}, {label}",
                    sides(MIXED, label),
                    Measure(mutual_attention(0, 2), TRAINING),
                    level=0.5,
                )
                for label in IN_DECOMPOSITION
            ],
        ),
    ]


def sides(env_config: str, *labels: str) -> dict[str, Side]:
    """The runs of methods in a task."""
    return {label: _side(label, env_config) for label in labels}


def ended(env_config: str) -> Measure:
    """An agent's mean return in training over the last thousand of the episodes that all runs have."""
    return Measure(of_an_agent(TRAINING, env_config), TRAINING, TRAINING)


def of_training(reading: Reading, env_config: str) -> Measure:
    """What a reading has of the team's return in training, of an agent."""
    return Measure(scaled(reading, 1 / AGENTS[env_config]), TRAINING, TRAINING)


def _side(label: str, env_config: str) -> Side:
    return lambda selector: of(selector, label, env_config)


def _higher(env_config: str, label: str, other: str, named: bool = False) -> Row:
    """One method minus another, which the row names in Spread-3 or if it is to be `named`."""
    where = (
        f"{TITLES[env_config]}, against {other}" if named or env_config not in TASKS else TITLES[env_config]
    )
    return Difference(where, sides(env_config, label, other), ended(env_config))


def _searched(other: str) -> Row:
    """MAMT minus another method in Spread, both searched."""
    both = {f"{label} (searched)": partial(searched, label=label) for label in (MAMT, other)}
    return Difference(f"{TITLES[SPREAD]}, against {other}", both, ended(SPREAD))


def _coordinated(env_config: str, other: str) -> Row:
    """MAMT with the smaller sigma minus another method."""
    both = {COORDINATED: partial(coordinated, env_config=env_config)} | sides(env_config, other)
    return Difference(f"{TITLES[env_config]}, against {other}", both, ended(env_config))


def _larger(env_config: str, label: str, other: str, measure: Measure) -> Row:
    return Difference(TITLES[env_config], sides(env_config, label, other), measure)


def _alike(env_config: str, *labels: str, where: str = "") -> Row:
    """Methods end alike: `WITHIN`."""
    compared = sides(env_config, *labels)
    return Similar(where or TITLES[env_config], compared, ended(env_config), margin=ALIKE[env_config])


def _level(env_config: str, measure: Measure) -> Row:
    return Level(TITLES[env_config], sides(env_config, MAMT), measure)


def _apart(large: str, small: str, what: str, reading: Reading) -> Row:
    """How much more something varies in the larger team."""
    both = {TITLES[each]: _side(MAMT, each) for each in (large, small)}
    return Apart(f"{what}: {TITLES[large]} against {TITLES[small]}", both, Measure(reading, TRAINING))
