"""What AdaMa's paper says of its figures, claim by claim."""

from collections.abc import Sequence

import numpy as np

from cohort.analysis.runs import Run
from papers.adama.figures import (
    ADAGRAD,
    ADAMA,
    CLUSTERING,
    CONTRIBUTION,
    DIRECTION,
    DIRECTION_2ND,
    FIRST_ORDER,
    FIXED,
    GOING_TOGETHER,
    MAGNITUDE,
    NAVIGATION,
    NEAR,
    PREDATOR_PREY,
    REWARD,
    SCENARIOS,
    SEARCHED,
    TUNED,
    arm,
    n_actors,
    scale_entry,
    tuned,
    varied_methods,
    wanted_scales,
)
from papers.claim import Apart, Best, Claim, Difference, Level, Measure, Row, Side, Similar
from papers.evidence import Reading, first_half, late, whole, within
from papers.wording import scenario

NEAR_UNIFORM = 0.2  # of the way from equal rates to one actor that has it all
MOST = 0.5
ALIKE = 0.25  # reward per step: a tenth of what Figure 7a's axis spans
BY_REWARD = "the mean reward per step of training, exploration included, over the last tenth of the episodes"


def claims(runs: Sequence[Run]) -> list[Claim]:
    """All of them, in the order of the paper."""
    return [
        Claim(
            "1",
            f"{DIRECTION} ends above {FIXED} (Fig. 3a, c)",
            f"{BY_REWARD}: {DIRECTION} minus {FIXED}.",
            [against(DIRECTION, FIXED, each, END) for each in (GOING_TOGETHER, PREDATOR_PREY)],
        ),
        Claim(
            "2",
            f"{MAGNITUDE} learns faster than {FIXED} (Fig. 3b, c, d)",
            "the area under the curve of mean reward per step of training over the first half of the episodes, "
            f"divided by their number: {MAGNITUDE} minus {FIXED}.",
            [against(MAGNITUDE, FIXED, each, START) for each in SCENARIOS[1:]],
        ),
        Claim(
            "3",
            f"{ADAMA} ends above all others (Fig. 3c)",
            f"{BY_REWARD}: {ADAMA} minus the best of the others, which is named.",
            [Best(scenario(PREDATOR_PREY), sides(FIRST_ORDER, PREDATOR_PREY), END)],
        ),
        Claim(
            "3b",
            f"{ADAMA} ends above fixed rates that were searched (section 4)",
            f"{BY_REWARD}: {ADAMA} minus the best pair of a search in the units that are used here, on seeds apart.",
            [
                Difference(scenario(each), {ADAMA: side(ADAMA, each), TUNED: searched(each)}, END)
                for each in SEARCHED
            ],
        ),
        Claim(
            "4",
            f"{ADAGRAD} is not competitive (Fig. 3)",
            f"{BY_REWARD}: {FIXED}, from whose rates {ADAGRAD} begins, minus {ADAGRAD}.",
            [against(FIXED, ADAGRAD, each, END) for each in SCENARIOS],
        ),
        Claim(
            "5",
            "in clustering the actors' rates stay alike (4.1)",
            f"{DIRECTION}, mean over training of (max_i l_a,i / |l_a| - 1/sqrt(N)) / (1 - 1/sqrt(N)), which is 0 where "
            f"rates are equal and 1 where one actor has it all: {NEAR_UNIFORM} minus that; other scenarios to compare.",
            [
                Level(
                    scenario(each), {"": side(DIRECTION, each)}, CONCENTRATION, judged=each == CLUSTERING,
                    level=NEAR_UNIFORM, below=True,
                )
                for each in (CLUSTERING, *SCENARIOS[:3])
            ],
        ),
        Claim(
            "6a",
            "in going together l_c alternates least (4.2)",
            f"how far l_c rises in all, in units of its reach, per 10,000 episodes of {MAGNITUDE}: "
            "another scenario minus going together, with independent seeds.",
            [
                Apart(
                    f"{scenario(GOING_TOGETHER)}, against {scenario(each)}",
                    {scenario(one): side(MAGNITUDE, one) for one in (each, GOING_TOGETHER)},
                    RISES,
                )
                for each in SCENARIOS[1:]
            ],
        ),
        Claim(
            "6b",
            f"in going together {MAGNITUDE} ends below {FIXED} (Fig. 3a)",
            f"{BY_REWARD}: {FIXED} minus {MAGNITUDE}.",
            [against(FIXED, MAGNITUDE, GOING_TOGETHER, END)],
        ),
        Claim(
            "7",
            "results with different m are similar (Fig. 7a)",
            f"{BY_REWARD}: alike within {ALIKE:g}, a tenth of what Figure 7a's axis spans.",
            [across_scales(label, runs) for label in varied_methods(runs)],
        ),
        Claim(
            "8",
            f"most of the time D is outside {NEAR[0]:g} m to {NEAR[1]:g} m (Fig. 7b)",
            f"the share of updates with D outside, minus {MOST:g}.",
            [
                Level(
                    f"{scenario(PREDATOR_PREY)}, {label}", {"": side(label, PREDATOR_PREY)}, OUTSIDE, level=MOST
                )
                for label in (MAGNITUDE, ADAMA)
            ],
        ),
        Claim(
            "9",
            f"{DIRECTION_2ND} ends above {DIRECTION} (Fig. 6)",
            f"{BY_REWARD}: second order minus first.",
            [against(DIRECTION_2ND, DIRECTION, each, END) for each in (GOING_TOGETHER, NAVIGATION)],
        ),
    ]  # fmt: skip


def side(label: str, env_config: str, name: str = "", **typed: object) -> Side:
    """The runs of a method in a scenario; `name` is what notes call them, if not by the method."""
    return lambda selector: selector.of(name or label, arm(label, env_config, **typed))


def searched(env_config: str) -> Side:
    """The runs at the best fixed rates of the search."""
    return lambda selector: selector.of(TUNED, tuned(env_config))


def sides(labels: Sequence[str], env_config: str) -> dict[str, Side]:
    """The runs of several methods in a scenario."""
    return {label: side(label, env_config) for label in labels}


def against(ours: str, theirs: str, env_config: str, measure: Measure) -> Row:
    """One method minus another in a scenario."""
    return Difference(scenario(env_config), sides((ours, theirs), env_config), measure)


def across_scales(label: str, runs: Sequence[Run]) -> Row:
    """A method in predator-prey with every m that was run or should be."""
    named = {m: f"{label}, {scale_entry(m)}" for m in wanted_scales(label, runs)}
    groups = {f"{scale_entry(m)}:": side(label, PREDATOR_PREY, name, adama_m=m) for m, name in named.items()}
    return Similar(f"{scenario(PREDATOR_PREY)}, {label}", groups, END, margin=ALIKE)


def concentration(run: Run, until: float) -> float | None:
    """Where the actors' rates lie between equal (0) and all of it with one actor (1), mean over training."""
    n = n_actors(run)
    shares = [run.series(f"actor_lr_agent_{i}/actor_lr_norm", "episodes") for i in range(n)]
    if n < 2 or not len(shares[0][0]):
        return None
    greatest = np.max([values for _, values in shares], axis=0)[within(shares[0][0], until)]
    return float((greatest.mean() - n**-0.5) / (1 - n**-0.5))


def rises(run: Run, until: float) -> float | None:
    """The sum of all rises of l_c over its reach from epsilon l to (1 - epsilon) l, per 10,000 episodes."""
    episodes, rates = run.series("critic_lr", "episodes")
    rates = rates[within(episodes, until)]
    reach = (1 - 2 * run.config["adama_clip"]) * (run.config["critic_lr"] + run.config["actor_lr_norm"])
    if len(rates) < 2 or reach <= 0:
        return None
    return float(np.diff(rates).clip(min=0).sum() / reach / until * 10_000)


def outside(run: Run, until: float) -> float | None:
    """The share of updates in which D was further than a fifth from m."""
    near = whole("critic_contribution_near_m")(run, until)
    return None if near is None else 1 - near


def _measure(reading: Reading, over: str = REWARD) -> Measure:
    return Measure(reading, REWARD, over)


END, START = _measure(late(REWARD)), _measure(first_half(REWARD))
CONCENTRATION = _measure(concentration, "actor_lr_agent_0/actor_lr_norm")
RISES, OUTSIDE = _measure(rises, "critic_lr"), _measure(outside, CONTRIBUTION)
