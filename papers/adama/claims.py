"""What AdaMa's paper says of its figures, statement by statement."""

from collections.abc import Sequence

import numpy as np

from cohort.analysis.runs import Run
from cohort.recording.curve import short_steps
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
    arm,
    n_actors,
    scale_entry,
    varied_methods,
    wanted_scales,
)
from papers.evidence import (
    Claim,
    Estimate,
    Finding,
    Measure,
    best_of,
    common_length,
    difference,
    estimate,
    finding,
    first_half,
    late,
    measured,
    sides,
    similar,
    spread,
    whole,
)
from papers.figure_spec import RunSelector, scenario

NEAR_UNIFORM = 0.2  # of the way from equal rates to one actor that has it all
MOST = 0.5


def statements(selector: RunSelector) -> list[Claim]:
    """All of them, in the order of the paper."""
    by_reward = (
        "the mean reward per step of training, exploration included, over the last tenth of the episodes"
    )
    return [
        Claim(
            "1",
            f"{DIRECTION} ends above {FIXED} (Fig. 3a, c)",
            f"{by_reward}: {DIRECTION} minus {FIXED}.",
            [_compared(selector, DIRECTION, FIXED, world, late(REWARD)) for world in (GOING_TOGETHER, PREDATOR_PREY)],
        ),
        Claim(
            "2",
            f"{MAGNITUDE} learns faster than {FIXED} (Fig. 3b, c, d)",
            "the area under the curve of mean reward per step of training over the first half of the episodes, "
            f"divided by their number: {MAGNITUDE} minus {FIXED}.",
            [_compared(selector, MAGNITUDE, FIXED, world, first_half(REWARD)) for world in SCENARIOS[1:]],
        ),
        Claim(
            "3",
            f"{ADAMA} ends above all others (Fig. 3c)",
            f"{by_reward}: {ADAMA} minus the best of the others, which is named.",
            [_best(selector, PREDATOR_PREY)],
        ),
        Claim(
            "4",
            f"{ADAGRAD} is not competitive (Fig. 3)",
            f"{by_reward}: {FIXED}, from whose rates {ADAGRAD} begins, minus {ADAGRAD}.",
            [_compared(selector, FIXED, ADAGRAD, world, late(REWARD)) for world in SCENARIOS],
        ),
        Claim(
            "5",
            "in clustering the actors' rates stay alike (4.1)",
            f"{DIRECTION}, mean over training of (max_i l_a,i / |l_a| - 1/sqrt(N)) / (1 - 1/sqrt(N)), which is 0 where "
            f"rates are equal and 1 where one actor has it all: {NEAR_UNIFORM} minus that; other scenarios to compare.",
            [_concentration(selector, world) for world in (CLUSTERING, *SCENARIOS[:3])],
        ),
        Claim(
            "6a",
            "in going together l_c alternates least (4.2)",
            f"how far l_c rises in all, in units of its reach, per 10,000 episodes of {MAGNITUDE}: "
            "another scenario minus going together, with independent seeds.",
            [_alternation(selector, world) for world in SCENARIOS[1:]],
        ),
        Claim(
            "6b",
            f"in going together {MAGNITUDE} ends below {FIXED} (Fig. 3a)",
            f"{by_reward}: {FIXED} minus {MAGNITUDE}.",
            [_compared(selector, FIXED, MAGNITUDE, GOING_TOGETHER, late(REWARD))],
        ),
        Claim(
            "7",
            "results with different m are similar (Fig. 7a)",
            f"{by_reward}: true if the greatest mean minus the least is no more than the standard deviation of seeds "
            "with the same m; two seeds of each m at least.",
            [_similar(selector, label) for label in varied_methods(selector.runs)],
        ),
        Claim(
            "8",
            f"most of the time D is outside {NEAR[0]:g} m to {NEAR[1]:g} m (Fig. 7b)",
            f"the share of updates with D outside, minus {MOST:g}.",
            [_outside(selector, label) for label in (MAGNITUDE, ADAMA)],
        ),
        Claim(
            "9",
            f"{DIRECTION_2ND} ends above {DIRECTION} (Fig. 6)",
            f"{by_reward}: second order minus first.",
            [
                _compared(selector, DIRECTION_2ND, DIRECTION, world, late(REWARD))
                for world in (GOING_TOGETHER, NAVIGATION)
            ],
        ),
    ]  # fmt: skip


def _compared(selector: RunSelector, ours: str, theirs: str, world: str, measure: Measure) -> Finding:
    runs = {label: selector.of(label, arm(label, world)) for label in (ours, theirs)}
    every = [run for group in runs.values() for run in group]
    until = common_length(every, REWARD)
    values = {label: measured(group, measure, until) for label, group in runs.items()}
    return _finding(scenario(world), sides(values), difference(values[ours], values[theirs]), every, until)


def _best(selector: RunSelector, world: str) -> Finding:
    """AdaMa against the best of the other first-order methods; all of them must be there."""
    runs = {label: selector.of(label, arm(label, world)) for label in FIRST_ORDER}
    every = [run for group in runs.values() for run in group]
    until = common_length(every, REWARD)
    values = {label: measured(group, late(REWARD), until) for label, group in runs.items()}
    best = best_of({label: side for label, side in values.items() if label != ADAMA})
    if best is None or not values[ADAMA]:
        return _finding(scenario(world), sides(values), None, every, until)
    found = difference(values[ADAMA], values[best])
    return _finding(f"{scenario(world)}, against {best}", sides(values), found, every, until)


def _concentration(selector: RunSelector, world: str) -> Finding:
    runs = selector.of(DIRECTION, arm(DIRECTION, world))
    until = common_length(runs, "actor_lr_agent_0/actor_lr_norm")
    values = measured(runs, concentration, until)
    found = estimate({seed: -value for seed, value in values.items()}, above=-NEAR_UNIFORM)
    row = _finding(scenario(world), spread(values) if values else "", found, runs, until)
    return row if world == CLUSTERING else Finding(row.where, row.measured, "", row.seeds, row.length, "")


def concentration(run: Run, until: float) -> float | None:
    """Where the actors' rates lie between equal (0) and all of it with one actor (1), mean over training."""
    n = n_actors(run)
    shares = [run.series(f"actor_lr_agent_{i}/actor_lr_norm", "episodes") for i in range(n)]
    if n < 2 or not len(shares[0][0]):
        return None
    greatest = np.max([values for _, values in shares], axis=0)[shares[0][0] <= until]
    return float((greatest.mean() - n**-0.5) / (1 - n**-0.5))


def _alternation(selector: RunSelector, world: str) -> Finding:
    here, there = (selector.of(MAGNITUDE, arm(MAGNITUDE, each)) for each in (GOING_TOGETHER, world))
    until = common_length(there, "critic_lr")
    ours = measured(there, rises, until)
    theirs = measured(here, rises, common_length(here, "critic_lr"))
    names = (scenario(world), scenario(GOING_TOGETHER))
    text = sides(dict(zip(names, (ours, theirs), strict=True)))
    return _finding(
        f"{names[1]}, against {names[0]}", text, difference(ours, theirs, paired=False), there, until
    )


def rises(run: Run, until: float) -> float | None:
    """The sum of all rises of l_c over its reach from epsilon l to (1 - epsilon) l, per 10,000 episodes."""
    episodes, rates = run.series("critic_lr", "episodes")
    rates = rates[episodes <= until]
    reach = (1 - 2 * run.config["adama_clip"]) * (run.config["critic_lr"] + run.config["actor_lr_norm"])
    if len(rates) < 2 or reach <= 0:
        return None
    return float(np.diff(rates).clip(min=0).sum() / reach / until * 10_000)


def _similar(selector: RunSelector, label: str) -> Finding:
    scales = wanted_scales(label, selector.runs)
    runs = {
        m: selector.of(f"{label}, {scale_entry(m)}", arm(label, PREDATOR_PREY, adama_m=m)) for m in scales
    }
    every = [run for group in runs.values() for run in group]
    until = common_length(every, REWARD)
    values = {m: measured(group, late(REWARD), until) for m, group in runs.items()}
    texts = sides({f"{scale_entry(m)}:": side for m, side in values.items()})
    row = _finding(f"{scenario(PREDATOR_PREY)}, {label}", texts, None, every, until)
    return similar(row, list(values.values())) if len(values) > 2 else row


def _outside(selector: RunSelector, label: str) -> Finding:
    runs = selector.of(label, arm(label, PREDATOR_PREY))
    until = common_length(runs, CONTRIBUTION)
    near = measured(runs, whole("critic_contribution_near_m"), until)
    outside = {seed: 1 - share for seed, share in near.items()}
    text = spread(outside) if outside else ""
    return _finding(f"{scenario(PREDATOR_PREY)}, {label}", text, estimate(outside, above=MOST), runs, until)


def _finding(where: str, text: str, found: Estimate | None, runs: Sequence[Run], until: float) -> Finding:
    full = max(map(_planned, runs), default=0.0)
    length = short_steps(until) if until >= 0.99 * full else f"{short_steps(until)} of {short_steps(full)}"
    return finding(where, text, found, runs, REWARD, f"{length} episodes" if runs else "")


def _planned(run: Run) -> float:
    """The episodes that a run has when it is done, as far as one can tell."""
    last = run.records[-1] if run.records else None
    return run.config["t_max"] * last.episode / last.t_env if last and last.t_env else 0.0
