"""The peers of Meta-MAPG's agents: figures 3b, 3c and 7, drawn again from the seeds of recorded runs."""

from collections.abc import Sequence

import numpy as np
import torch

from cohort.analysis.curves import Curve
from cohort.analysis.figure import Panel
from cohort.analysis.runs import Run
from cohort.configuration.task import task_name
from cohort.learners.meta.personas import SPLITS, Personas, draw_population
from cohort.learners.meta.teammates import Teammates, split_teammates
from papers.arms import Arm
from papers.figure_spec import FigureSpec
from papers.meta_mapg.arms import CHEETAH, IPD, META_MAPG, METHODS, arm
from papers.meta_mapg.figures import GAMES
from papers.run_selector import RunSelector

TEAMMATES = "cheetah_teammates"
UNUSED = "not used"  # teammates of no split
COOPERATE = 1  # the action whose probabilities are shown
SAID = (
    "two principal components of each persona's probabilities of cooperating, P(C) in each of the 5 states, "
    "standardised over all personas"
)


def personas(runs: Sequence[Run]) -> FigureSpec:
    """Figures 3b and 3c: the personas that one run each drew in and out of distribution."""
    selector, panels = RunSelector(runs), []
    for letter, beyond in (("b", False), ("c", True)):
        run = _one(runs, beyond)
        if run is None:
            typed = {"out_of_distribution": True} if beyond else {}
            selector.of(META_MAPG, arm(META_MAPG, IPD, **typed), wanted=1)
            continue
        population = redrawn(run)
        points = [probabilities(population[split]) for split in SPLITS]
        planes, explained = principal_components(np.concatenate(points))
        ends = np.cumsum([len(each) for each in points])[:-1]
        clouds = {
            split: Curve((run,), each[:, 0], each[:, 1], None, None, 0.0)
            for split, each in zip(SPLITS, np.split(planes, ends), strict=True)
        }
        kind = "out of distribution" if beyond else "in distribution"
        panels.append(
            Panel(
                f"({letter}) IPD, {kind}", "personas", clouds, y_label="principal component 2",
                counted=False, form="dots", square=True,
            )
        )  # fmt: skip
        parted = f", parted at {run.config['ood_boundary']:g}" if beyond else ""
        selector.notes.append(
            f"({letter}): seed {run.seed}{parted}; {', '.join(f'{len(population[each])} {each}' for each in SPLITS)}; "
            f"the components hold {100 * explained[0]:.0f} % and {100 * explained[1]:.0f} % of the variance"
        )
    return selector.figure(panels, "principal component 1", SAID, SPLITS)


def teammates(runs: Sequence[Run]) -> FigureSpec:
    """Figure 7: how well the teammates of each split ran to the left, over the iterations that made them."""
    selector, panels = RunSelector(runs), []
    run = selector.one("teammates", Arm(TEAMMATES, CHEETAH), "return_mean")
    if run is not None:
        updates, returns = run.series("return_mean", "updates")
        iterations = updates - 1  # what was logged after an update was played before it
        split, told = _splits(runs)
        clouds = {}
        for name in (*SPLITS, UNUSED):
            mine = np.array([split.get(int(each), UNUSED) == name for each in iterations], dtype=bool)
            if mine.any():
                clouds[name] = Curve(
                    (run,), iterations[mine], returns[mine], None, None, float(iterations[-1])
                )
        panels.append(
            Panel(
                "teammates of the 2-agent HalfCheetah", "return_mean", clouds, y_label="return to the left",
                counted=False, form="dots",
            )
        )  # fmt: skip
        selector.notes.append(f"seed {run.seed}, {run.updates} iterations; {told}")
    said = "one run of pre-training; a dot is the mean return of the matches that an iteration played"
    return selector.figure(panels, "iteration", said, (*SPLITS, UNUSED))


def _splits(runs: Sequence[Run]) -> tuple[dict[int, str], str]:
    """Iteration -> split, as the meta-learning run of the least seed drew it, or as seed 1 would, and which of them."""
    published = {**arm(META_MAPG, CHEETAH).published, "seed": 1}
    mine = [run.config for run in runs if run.env == CHEETAH and run.method in METHODS.values()]
    config = min(mine, key=lambda each: each["seed"], default=published)
    ranges = [tuple(config[key]) for key in ("teammates_range", "teammates_test_range")]
    last = max(final for _, final in ranges)
    everyone = Teammates({}, torch.arange(last + 1), torch.zeros(last + 1))
    sizes = tuple(config[f"personas_{split}"] for split in SPLITS)
    population = split_teammates(everyone, config["seed"], sizes, *ranges)
    split = {int(each): name for name, some in population.items() for each in some.iteration}
    return split, f"splits as meta-learning with seed {config['seed']} draws them"


def redrawn(run: Run) -> dict[str, Personas]:
    """The population that a run has drawn, from its seed and configuration."""
    config = run.config
    sizes = tuple(config[f"personas_{split}"] for split in SPLITS)
    boundary = config["ood_boundary"] if config["out_of_distribution"] else None
    return draw_population(GAMES[task_name(config)], config["seed"], sizes, boundary)


def probabilities(personas: Personas) -> np.ndarray:
    """Of cooperating in each state: [P, S]."""
    return personas.logits.double().exp()[..., COOPERATE].numpy()


def principal_components(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardised [P, S] on its two main axes, [P, 2], and their shares in the variance, [2].

    Each axis points to where the coordinates' sum grows, so that figures of the same points are the same.
    """
    standardised = (points - points.mean(axis=0)) / points.std(axis=0)
    _, lengths, axes = np.linalg.svd(standardised, full_matrices=False)
    axes = axes[:2] * np.where(axes[:2].sum(axis=1, keepdims=True) < 0, -1, 1)
    return standardised @ axes.T, (lengths**2 / (lengths**2).sum())[:2]


def _one(runs: Sequence[Run], beyond: bool) -> Run | None:
    """The run of the least seed that meets personas of the dilemma, all of one distribution or not."""
    mine = [
        run
        for run in runs
        if task_name(run.config) == IPD
        and "personas_test" in run.config
        and run.config["out_of_distribution"] == beyond
    ]
    return min(mine, key=lambda run: run.seed or 0, default=None)
