"""How times are taken: in turns, so that a drifting machine cannot favour one side."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Times:
    """Seconds per call, one entry per round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """The smallest and the largest as per cent of the median."""
        low, high = min(self.seconds) / self.median, max(self.seconds) / self.median
        return f"{100 * (low - 1):+.0f}/{100 * (high - 1):+.0f} %"

    def rate(self, amount: float) -> float:
        return amount / self.median


def wall() -> float:
    """Seconds that pass for everybody, with the GPU's work done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def in_turns(
    jobs: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    seconds: float = 0.4,
    clock: Callable[[], float] = wall,
) -> dict[str, Times]:
    """Call every job again and again, in turns: each round lasts about `seconds` per job. The first is not counted.

    `clock=time.process_time` counts this process's own work on the CPU, for machines that others use too.
    """
    calls = {name: _calls_in(job, seconds, clock) for name, job in jobs.items()}
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = clock()
            for _ in range(calls[name]):
                job()
            taken[name].append((clock() - start) / calls[name])
    return {name: Times(each) for name, each in taken.items()}


def ratio(slow: Times, fast: Times) -> str:
    """How many times as fast, pair by pair: median and range."""
    pairs = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]
    return f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"


def _calls_in(job: Callable[[], object], seconds: float, clock: Callable[[], float]) -> int:
    for _ in range(3):  # caches, compilation, allocator
        job()
    start = clock()
    job()
    return max(1, round(seconds / max(clock() - start, 1e-6)))
