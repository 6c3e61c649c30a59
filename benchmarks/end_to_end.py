"""`python -m benchmarks.end_to_end [with key=value ...]`: environment steps of training per second.

Collecting, storing and learning as a run does them, without evaluations and records; by default qmix on PettingZoo's
simple_spread. Per second that passes, and per CPU second of the process and everything that it has started. The part
before the first update is not counted. One line per number of games and updates per episode, measured in turns.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import psutil
import torch

from cohort.configuration.plan import Sources, make_plan
from cohort.configuration.updates import parse_updates
from cohort.experiment import Experiment


class Rates(NamedTuple):
    """Environment steps of one round."""

    per_second: float
    per_cpu_second: float


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="qmix")
    parser.add_argument("--env-config", default="pettingzoo")
    parser.add_argument("--games", nargs="+", type=int, default=[1, 8], help="games side by side")
    parser.add_argument("--updates", nargs="+", type=float, default=[0.125, 1.0], help="updates per episode")
    parser.add_argument("--steps", type=int, default=4000, help="environment steps of a round, at least")
    parser.add_argument("--rounds", type=int, default=5)
    words = list(sys.argv[1:] if words is None else words)
    place = words.index("with") if "with" in words else len(words)
    options, typed = parser.parse_args(words[:place]), parse_updates(words[place + 1 :])
    cases = list(product(options.games, options.updates))
    trainings = [
        training(options.config, options.env_config, games, updates, options.steps, typed)
        for games, updates in cases
    ]
    rounds = [[next(each) for each in trainings] for _ in range(options.rounds)]
    for each in trainings:
        each.close()
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} thread, {options.rounds} rounds: median (range)"
    )
    print(f"{'games':>5} {'updates/episode':>15}   {'steps/s':<26} steps/CPU-s")
    for (games, updates), rates in zip(cases, zip(*rounds, strict=True), strict=True):
        wall, cpu = (_spread(each) for each in zip(*rates, strict=True))
        print(f"{games:>5} {updates:>15}   {wall:<26} {cpu}")


def training(
    config: str, env_config: str, games: int, updates: float, steps: int, typed: dict[str, Any]
) -> Iterator[Rates]:
    """The rates of one round after another, of at least `steps` environment steps each."""
    own = {"batch_size_run": games, "test_nepisode": games, "updates_per_episode": updates, "use_cuda": False}
    experiment = Experiment(make_plan(Sources.read(config, env_config, own | typed)), lambda line: None)
    trainer = experiment.trainer
    try:
        while not trainer.learner.updates:
            trainer.iterate()
        while True:
            begun, wall, cpu = trainer.t_env, time.perf_counter(), cpu_seconds()
            while trainer.t_env < begun + steps:
                trainer.iterate()
            played = trainer.t_env - begun
            yield Rates(played / (time.perf_counter() - wall), played / (cpu_seconds() - cpu))
    finally:
        experiment.close()


def cpu_seconds() -> float:
    """User and system seconds of this process and of all that it has started and that still run."""
    this = psutil.Process()
    times = [each.cpu_times() for each in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


if __name__ == "__main__":
    main()
