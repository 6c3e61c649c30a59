"""What may be typed for a sweep beside its runs."""

import argparse
from dataclasses import dataclass

OPTIONS = ("--jobs", "--cluster", "--dry-run", "--yes", "--retry-failed")


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is carried out.

    Attributes:
        jobs: runs at a time; None for as many as there are cores.
        cluster: `auto` or the address of a Ray cluster; None for this machine.
        dry_run: print the runs and stop.
        yes: there may be more than a thousand.
        retry_failed: on resuming, failed runs as well.
    """

    jobs: int | None = None
    cluster: str | None = None
    dry_run: bool = False
    yes: bool = False
    retry_failed: bool = False

    @property
    def typed(self) -> list[str]:
        """Which options were given."""
        return [option for option in OPTIONS if getattr(self, option[2:].replace("-", "_"))]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Have `parser` understand them."""
    group = parser.add_argument_group(
        "sweeps: several values, as seed=0..4 or --config=qmix,vdn (docs/sweeps.md)"
    )
    group.add_argument("--jobs", metavar="N", type=_count, help="runs at a time; default: one for each core")
    group.add_argument("--cluster", metavar="auto|ray://HOST:PORT", help="spread the runs over a Ray cluster")
    group.add_argument("--dry-run", action="store_true", help="print the runs and stop")
    group.add_argument("--yes", action="store_true", help="there may be more than 1,000 runs")
    group.add_argument("--retry-failed", action="store_true", help="with --resume: failed runs as well")


def read_options(options: argparse.Namespace) -> SweepOptions:
    return SweepOptions(options.jobs, options.cluster, options.dry_run, options.yes, options.retry_failed)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: 1 or more")
    return int(text)
