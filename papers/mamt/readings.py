"""Numbers of a run that only MAMT's claims read."""

import re

import numpy as np

from cohort.analysis.runs import Run
from papers.evidence import Reading, late, within
from papers.mamt.figures import ATTENTION


def varying(metric: str, *, logarithm: bool = False) -> Reading:
    """How much what is logged of each agent or pair changes over a run: the standard deviation, mean over them.

    Args:
        metric: the name before the agents' numbers.
        logarithm: look at the logarithm, base 10.
    """
    numbered = re.compile(rf"{metric}(_\d+)+")

    def read(run: Run, until: float) -> float | None:
        names = {name for record in run.records for name in record.metrics if numbered.fullmatch(name)}
        found = []
        for name in sorted(names):
            places, values = run.series(name, "episodes")
            values = values[within(places, until)]
            found.append(float(np.std(np.log10(values) if logarithm else values)))
        return float(np.mean(found)) if found else None

    return read


def mutual_attention(i: int, j: int) -> Reading:
    """The mean attention of two agents to each other over the last tenth of what is looked at."""

    def read(run: Run, until: float) -> float | None:
        until = min(until, run.episode or 0.0)
        both = [late(f"{ATTENTION}_{one}_{other}")(run, until) for one, other in ((i, j), (j, i))]
        return None if None in both else float(np.mean(both))

    return read
