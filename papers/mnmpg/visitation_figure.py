"""MNMPG's figure 3: where greedy teams go on 6h_vs_8z, as a picture and in numbers."""

from collections.abc import Sequence

from cohort.analysis.figure import Panel, Surface
from cohort.analysis.runs import Run
from cohort.recording.curve import short_steps
from papers.figure_spec import FigureSpec
from papers.mnmpg.arms import ABLATED, IN_VISITATION, arm
from papers.mnmpg.figures import WIN_RATE
from papers.mnmpg.visitation import (
    EPISODES,
    STAGES,
    Visited,
    densities,
    embedded,
    mean_distance,
    stages,
    visited_states,
)
from papers.run_selector import RunSelector
from papers.table import Table

HEADINGS = ("method", "seed", "steps", "states", "entropy of the density", "mean distance")
NOTES = (
    f"Greedy episodes of saved models on {ABLATED}, {EPISODES} of each: the first model after exploration has come to "
    "its end, the middle one and the last.",
    "Entropy in nats, of the kernel density in the plane that one t-SNE of all states makes: it compares within this "
    "table alone. Mean distance of two states, in their own space, without the last actions.",
)


def visited(runs: Sequence[Run]) -> FigureSpec:
    """Figure 3: a row for each method, a column for each stage; one plane and one colour scale for all."""
    selector = RunSelector(runs, seeds=1)
    every = [each for _, each in _every(selector)]
    panels = []
    if every:
        found = densities(embedded(every))
        most = max(float(each.z.max()) for each in found)
        panels = [
            Panel(
                f"{one.label}, {short_steps(one.step)}: {density.entropy:.2f}",
                "density",
                {},
                surface=Surface(density.x, density.y, density.z, "density", most),
                y_label="t-SNE",
            )
            for one, density in zip(every, found, strict=True)
        ]
    said = (
        f"states that greedy policies visit in {EPISODES} episodes on {ABLATED}, by t-SNE of all of them; Gaussian "
        "kernel density, one scale; above it: its entropy in nats"
    )
    return selector.figure(panels, "t-SNE", said, columns=min(STAGES, max(1, len(panels))))


def table(selector: RunSelector) -> Table:
    """The same in numbers."""
    every = _every(selector)
    found = densities(embedded([each for _, each in every])) if every else []
    rows = [
        (
            one.label,
            str(run.seed),
            f"{one.step:,}",
            str(len(one.states)),
            f"{density.entropy:.3f}",
            f"{mean_distance(one.states):.3f}",
        )
        for (run, one), density in zip(every, found, strict=True)
    ]
    return Table(HEADINGS, rows, NOTES)


def _every(selector: RunSelector) -> list[tuple[Run, Visited]]:
    """One run of each method, with what its models visit."""
    found = []
    for label in IN_VISITATION:
        run = selector.one(label, arm(label, ABLATED), WIN_RATE)
        if run is None:
            continue
        steps = stages(run)
        found += [(run, visited_states(label, run, step)) for step in steps]
        if len(steps) < STAGES:
            selector.notes.append(
                f"{label}, {run.name}: {len(steps)} models from after its exploration (save_model=True keeps them)"
            )
    return found
