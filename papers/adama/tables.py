"""AdaMa's tables: how often runs leave the finite numbers, and a search of fixed rates."""

from collections.abc import Sequence

import numpy as np

from cohort.analysis.runs import Run
from papers.adama.figures import METHODS, REWARD, SCENARIOS, arm
from papers.evidence import late
from papers.run_selector import RunSelector
from papers.table import Table
from papers.wording import listed, plain, scenario

SHARPNESS = "critic_lr_curvature"
EDGE = 2.0  # of gradient descent at a fixed rate on a quadratic
Z = 1.96
TEST = "test_return_mean/test_ep_length_mean"
STABILITY = ("scenario", "method", "n", "diverged", "share [95 %]", "l_c x curvature", "largest", "above 2")
SEARCH = ("scenario", "l_c", "n_a", "n", "seeds", "diverged", "noise-free", "in training")


def stability(selector: RunSelector) -> Table:
    """The share of runs that left the finite numbers, by method and scenario, and how near the critic came to it."""
    rows = []
    for env_config in SCENARIOS:
        for label in METHODS:
            runs = selector.of(label, arm(label, env_config), wanted=0)
            if runs:
                gone = sum(run.diverged for run in runs)
                low, high = wilson(gone, len(runs))
                share = f"{gone / len(runs):.2f} [{low:.2f}, {high:.2f}]"
                rows.append(
                    [scenario(env_config), plain(label), str(len(runs)), str(gone), share, *_sharpness(runs)]
                )
    notes = (
        "share: of runs that left the finite numbers, with Wilson's 95 % interval.",
        "l_c x curvature: largest eigenvalue of the TD loss's Hessian on the critic, of one batch at each log line "
        "(power iteration); median over log lines and runs, the largest, and the share of lines above 2, beyond which "
        "gradient descent on a quadratic diverges. AdaGrad has no one rate.",
    )
    return Table(STABILITY, rows, notes)


def search(selector: RunSelector) -> Table:
    """Every pair of fixed rates that was run, by scenario, best first: read a folder of a search of its own."""
    rows = []
    for env_config in SCENARIOS:
        groups: dict[tuple[float, float], list[Run]] = {}
        for run in selector.runs:
            if (run.method, run.env) == ("maddpg_fixed_lr", env_config):
                groups.setdefault((run.config["critic_lr"], run.config["actor_lr_norm"]), []).append(run)
        ends = {pair: [_ends(run) for run in runs] for pair, runs in groups.items()}
        for pair in sorted(groups, key=lambda pair: -_mean([test for test, _ in ends[pair]])):
            runs, (tests, training) = groups[pair], zip(*ends[pair], strict=True)
            rows.append(
                [scenario(env_config), *(f"{rate:g}" for rate in pair), str(len(runs))]
                + [listed(run.seed for run in runs), str(sum(run.diverged for run in runs))]
                + [f"{_mean(each):.3f}" for each in (tests, training)]
            )
    notes = (
        "Reward per step over the last tenth of the episodes, without noise and with it; a run that diverged counts as "
        "minus infinity.",
    )
    return Table(SEARCH, rows, notes)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, square = hits / n, Z * Z / n
    middle = (share + square / 2) / (1 + square)
    reach = Z * ((share * (1 - share) + square / 4) / n) ** 0.5 / (1 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _sharpness(runs: Sequence[Run]) -> list[str]:
    values = np.concatenate([run.series(SHARPNESS)[1] for run in runs])
    if not len(values):
        return [""] * 3
    return [f"{np.median(values):.2f}", f"{values.max():.2f}", f"{(values > EDGE).mean():.0%}"]


def _ends(run: Run) -> tuple[float, float]:
    """Without noise, in training."""
    if run.diverged:
        return -np.inf, -np.inf
    values = [late(metric)(run, _length(run, metric)) for metric in (TEST, REWARD)]
    return tuple(-np.inf if value is None else value for value in values)


def _length(run: Run, metric: str) -> float:
    places, _ = run.series(metric, "episodes")
    return float(places[-1]) if len(places) else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
