"""What may be typed for a sweep beside its runs."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields

SEARCH_OPTIONS = ("--search", "--trials", "--objective", "--minimise")
OPTIONS = ("--jobs", "--cluster", "--dry-run", "--yes", "--retry-failed", *SEARCH_OPTIONS)
SAMPLERS = ("tpe", "random")
TRIALS = 20


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is carried out.

    Attributes:
        jobs: runs at a time; None for as many as there are cores.
        cluster: `auto` or the address of a Ray cluster; None for this machine.
        dry_run: print the runs and stop.
        yes: there may be more than a thousand.
        retry_failed: on resuming, failed runs as well.
        search: the sampler of a search; None for a sweep.
        trials: of a search; None where it was not typed.
        objective: of a search, a field of a run as `run.py ls` names them.
        minimise: whether small values of it are good.
    """

    jobs: int | None = None
    cluster: str | None = None
    dry_run: bool = False
    yes: bool = False
    retry_failed: bool = False
    search: str | None = None
    trials: int | None = None
    objective: str | None = None
    minimise: bool = False

    @property
    def typed(self) -> list[str]:
        """Which options were given."""
        return [option for option in OPTIONS if getattr(self, option[2:].replace("-", "_"))]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Have `parser` understand them."""
    group = parser.add_argument_group(
        "sweeps: several values, as seed=0..4 or --config=qmix,vdn (docs/sweeps.md)"
    )
    group.add_argument(
        "--jobs", metavar="N", type=_count("runs"), help="runs at a time; default: one for each core"
    )
    group.add_argument("--cluster", metavar="auto|ray://HOST:PORT", help="spread the runs over a Ray cluster")
    group.add_argument("--dry-run", action="store_true", help="print the runs and stop")
    group.add_argument("--yes", action="store_true", help="there may be more than 1,000 runs")
    group.add_argument("--retry-failed", action="store_true", help="with --resume: failed runs as well")
    search = parser.add_argument_group(
        "searches: ranges and choices, as lr=0.0001..0.01..log optimizer=rmsprop,adam (docs/sweeps.md)"
    )
    search.add_argument("--search", choices=SAMPLERS, help="who proposes the trials: Optuna's TPE, or chance")
    search.add_argument(
        "--trials",
        metavar="N",
        type=_count("trials"),
        help=f"how many, {TRIALS} unless told; more of them with --resume",
    )
    search.add_argument(
        "--objective",
        metavar="FIELD",
        help="what is maximised, as metrics.test_return_mean or 'late(metrics.test_return_mean)'; default: the "
        "last test win rate, or test return",
    )
    search.add_argument("--minimise", action="store_true", help="small values of it are good")


def read_options(options: argparse.Namespace) -> SweepOptions:
    return SweepOptions(**{field.name: getattr(options, field.name) for field in fields(SweepOptions)})


def _count(of: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of {of}: 1 or more")
        return int(text)

    return read
