"""Meta-MAPG's question 3: its AUC when the test's personas lie outside the training distribution."""

from collections.abc import Sequence

import numpy as np

from cohort.analysis.runs import Run
from cohort.analysis.statistics import bootstrap_interval, mean
from papers.evidence import difference, estimate
from papers.meta_mapg.arms import (
    AUC,
    EXACT,
    IPD,
    META_MAPG,
    META_PG,
    SAME_COLOUR,
    SEEDS,
    arm,
    described,
    exact,
    exact_arm,
    last,
)
from papers.run_selector import RunSelector
from papers.table import Table
from papers.wording import updates_of

FORMS = {"AUC": AUC, "AUC above -1": "test_auc_above"}
IN, OUT, DROP = "in", "out", "in - out"
PAPER = {
    (META_MAPG, IN): "13.77 ± 0.25",
    (META_MAPG, OUT): "11.12 ± 0.33",
    (META_PG, IN): "6.13 ± 0.05",
    (META_PG, OUT): "7.60 ± 0.07",
    (META_MAPG, DROP): "2.65",
    (META_PG, DROP): "-1.47",
}
HEADINGS = ("method", "personas", "seeds", "updates", *FORMS, "paper")
NOTES = (
    "AUC: the reward's sum over phi_1 .. phi_L, mean over the test personas. The paper's numbers exceed its "
    "maximum (1.5 L); the area above -1 per step is the form that fits.",
    "Mean over seeds ± standard error [95 % interval of the mean, bootstrap]; in - out is paired by seed where it can "
    "be. The paper calls its ± variances, over 5 seeds.",
)

EXACT_NOTE = "(exact): not in the paper: tables, exact values and exact updates, without sampling."


def distributions(selector: RunSelector) -> Table:
    """The AUC in its two forms, in and out of distribution, beside the paper's."""
    rows = []
    arms = [(label, label, arm, SEEDS["q3"]) for label in (META_MAPG, META_PG)]
    arms += [(exact(label), label, exact_arm, 0) for label in EXACT]
    for entry, label, make, wanted in arms:
        beyond = {"out_of_distribution": True}
        inside = selector.of(entry, make(label, IPD), wanted)
        outside = selector.of(described(entry, beyond), make(label, IPD, **beyond), wanted, entry)
        if entry != label and not inside and not outside:
            continue  # not in the paper, so not reported as missing
        for where, runs in ((IN, inside), (OUT, outside)):
            cells = [mean_text(list(last(runs, metric).values())) for metric in FORMS.values()]
            rows.append(_row(entry, where, runs, cells))
        cells = [_drop(inside, outside, metric) for metric in FORMS.values()]
        rows.append(_row(entry, DROP, [], cells))
    notes = [*NOTES, EXACT_NOTE] if any(row[0] in SAME_COLOUR for row in rows) else NOTES
    return Table(HEADINGS, rows, notes)


def mean_text(values: Sequence[float]) -> str:
    """Mean, standard error and interval, as far as so many seeds give them."""
    found = estimate(dict(enumerate(values)))
    if found is None:
        return ""
    if found.error is None:
        return f"{found.mean:.2f}"
    low, high = bootstrap_interval([np.array(values)[:, None]], mean)
    return f"{found.mean:.2f} ± {found.error:.2f} [{low[0]:.2f}, {high[0]:.2f}]"


def _drop(inside: Sequence[Run], outside: Sequence[Run], metric: str) -> str:
    sides = [{run.seed: value for run, value in last(runs, metric).items()} for runs in (inside, outside)]
    found = difference(*sides)
    if found is None:
        return ""
    return f"{found.mean:+.2f}" + ("" if found.error is None else f" ± {found.error:.2f}")


def _row(entry: str, where: str, runs: Sequence[Run], cells: Sequence[str]) -> list[str]:
    seeds = ", ".join(str(run.seed) for run in sorted(runs, key=lambda run: run.seed or 0))
    return [
        entry,
        where,
        seeds,
        updates_of(runs, AUC).removesuffix(" updates"),
        *cells,
        PAPER.get((entry, where), ""),
    ]
