"""When a run of the continuous matrix game turns the corner, and what its target entropies do before and after."""

from collections.abc import Sequence

import numpy as np

from cohort.analysis.runs import Run
from cohort.envs.continuous_matrix_game import CORNER
from papers.evidence import Reading, within

NEAR = 0.05  # of the corner, where the two parts of the path meet
ACTIONS = ("test_action_0_mean", "test_action_1_mean")
ENTROPIES = ("target_entropy_0", "target_entropy_1")  # of the agents that the paper calls 1 and 2


def junction(run: Run, x: str = "steps") -> float | None:
    """When the tested policy's mean action is first within `NEAR` of the corner; None where it never is."""
    (steps, first), (_, second) = (run.series(name, x) for name in ACTIONS)
    there = np.hypot(first - CORNER, second) <= NEAR
    return float(steps[there.argmax()]) if there.any() else None


def mean_junction(runs: Sequence[Run]) -> float | None:
    """The mean over those runs that get there."""
    times = [time for time in map(junction, runs) if time is not None]
    return float(np.mean(times)) if times else None


def change(agent: int, *, after: bool) -> Reading:
    """How much an agent's target entropy rises until the junction, or with `after` from there to the end.

    At the junction counts what was logged last. None for a run that does not get there.
    """

    def read(run: Run, until: float) -> float | None:
        turned = junction(run, "episodes")
        episodes, values = run.series(ENTROPIES[agent], "episodes")
        kept = within(episodes, until)
        episodes, values = episodes[kept], values[kept]
        if turned is None or turned > until or not (before := episodes <= turned).any():
            return None
        there = values[before][-1]
        return float(values[-1] - there if after else there - values[0])

    return read
