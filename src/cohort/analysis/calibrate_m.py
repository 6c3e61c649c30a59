"""`run.py calibrate_m RUN`: AdaMa's m, from the critic's contributions D that a trial run has recorded.

The paper (Adaptive Learning Rates for Multi-Agent Reinforcement Learning, section 4.4) takes the mean of D over the
first K updates of a trial run. D may be of another size once the critic has learned, so the middle is shown as well.
"""

from collections.abc import Sequence

import numpy as np

from cohort.analysis import options
from cohort.analysis.runs import Run
from cohort.analysis.tables import write, write_table
from cohort.arguments import Parser
from cohort.errors import UserError

CONTRIBUTION = "critic_contribution"
HEADINGS = ("measured over", "D", "type", "l_c at its minimum", "l_c at its maximum")
EXAMPLES = """examples:
  run.py calibrate_m results/adama__predator_prey__seed1__2026-11-25_18-09-14
  run.py calibrate_m adama__predator_prey__seed1 --updates 500

A trial run at fixed rates that records D:
  run.py --config=adama --env-config=predator_prey with adapt_magnitude=False adapt_direction=False \\
      critic_lr=0.007 actor_lr_norm=0.002"""


def main(words: Sequence[str]) -> int:
    """Measure m in the run that `words` name; the exit status."""
    parser = Parser("calibrate_m", "Measures AdaMa's m in a trial run that has recorded D.", EXAMPLES)
    parser.add_argument("run", metavar="RUN", help="a run folder, or a part of a name in results/")
    options.add_database(parser)
    parser.add_argument("--updates", type=int, default=100, metavar="K", help="default: %(default)s")
    options.add_form(parser)
    chosen = parser.parse(words)
    if chosen.updates < 1:
        parser.error(f"--updates {chosen.updates}: must be 1 or more")
    run = options.the_run(chosen.run, chosen)
    ends, values = contributions(run)
    write_table(HEADINGS, rows(ends, values, chosen.updates, run.config.get("adama_clip", 0.1)), chosen.form)
    if chosen.form == "table":
        write(f"\n{remarks(run, ends)}\n")
    return 0


def contributions(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Where logging intervals end, in updates [K], and the mean of D over each [K].

    Raises:
        UserError: the run has not recorded D; the message says how to record it.
    """
    ends, values = run.series(CONTRIBUTION, "updates")
    if len(values):
        return ends, values
    if "adapt_magnitude" in run.config:
        raise UserError(f"{run.name} has logged no D ({CONTRIBUTION}) yet: wait for its first updates.")
    rates = [f"{key}={run.config[key]:g}" for key in ("critic_lr", "actor_lr_norm") if key in run.config]
    raise UserError(
        f"{run.name} ({run.method}) records no D ({CONTRIBUTION}): its method does not use it. "
        "To measure D at the same fixed rates, type:\n"
        f"python run.py --config=adama --env-config={run.env} with adapt_magnitude=False adapt_direction=False "
        + " ".join([*rates, f"seed={run.seed}"])
    )


def rows(ends: np.ndarray, values: np.ndarray, updates: int, clip: float) -> list[list[str]]:
    """One row per choice of m: where it is measured, D there, what to type, and how often l_c would be clipped."""
    middle = ends[-1] / 2
    start, end = max(0.0, middle - updates / 2), min(ends[-1], middle + updates / 2)
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    choices = [
        (f"first {min(updates, ends[-1]):,.0f} updates", mean_over(ends, values, 0, updates), True),
        (f"updates {start:,.0f} to {end:,.0f}, the middle", mean_over(ends, values, start, end), True),
        ("all updates: median", median, True),
        ("all updates: 10 % quantile", low, False),
        ("all updates: 90 % quantile", high, False),
    ]
    return [_row(what, float(m), values, clip, proposed) for what, m, proposed in choices]


def mean_over(ends: np.ndarray, values: np.ndarray, start: float, end: float) -> float:
    """The mean of D over the updates in (start, end]; a logging interval counts with the part that lies inside."""
    starts = np.concatenate([[0.0], ends[:-1]])
    parts = np.clip(np.minimum(ends, end) - np.maximum(starts, start), 0, None)
    return float(np.average(values, weights=parts))


def remarks(run: Run, ends: np.ndarray) -> str:
    """What the table's numbers are computed from."""
    lengths = np.diff(ends, prepend=0.0)
    m = run.last("adama_m")
    return (
        f"{run.name}: {run.status.state}, {ends[-1]:,.0f} updates, "
        f"m = {'not measured yet' if m is None else f'{m:.3g}'}.\n"
        f"D is logged as a mean over about {np.median(lengths):.0f} updates: "
        "medians, quantiles and shares are of these means.\n"
        "The last two columns: the share of these values at which D / m is clipped, below and above."
    )


def _row(what: str, m: float, values: np.ndarray, clip: float, proposed: bool) -> list[str]:
    below, above = np.mean(values <= clip * m), np.mean(values >= (1 - clip) * m)
    typed = [f"adama_m={m:.2g}", f"{100 * below:.0f} %", f"{100 * above:.0f} %"] if proposed else [""] * 3
    return [what, f"{m:.4g}", *typed]
