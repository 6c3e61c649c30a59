"""`python -m benchmarks.recorded_updates`: updates whose gradients are recorded beside the same ones as written.

CPU milliseconds of an update, sampling included, of methods that learn from single steps, on one thread, in turns.
Numbers are equal bit for bit (`tests/learners/test_recorded_updates.py`).
"""

import argparse
import time

from benchmarks.timing import in_turns, ratio
from cohort.components.process import prepare_process
from cohort.configuration.plan import Sources, make_plan
from cohort.experiment import Experiment
from cohort.learners import base
from cohort.trainers.off_policy import OffPolicyTrainer

METHODS = (
    ("ader", "continuous_matrix_game"),
    ("facmac_continuous", "continuous_matrix_game"),
    ("maddpg_fixed_lr", "going_together"),
    ("adama", "going_together"),
)
UPDATES = 40  # of each round


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    prepare_process(1)
    print(
        f"{'method':<20}{'game':<24}{'as written':>11} {'spread':>14} {'recorded':>9} {'spread':>14}  times as fast"
    )
    for method, game in METHODS:
        trainers = {
            "written": trained(method, game, after=1_000_000),
            "recorded": trained(method, game, after=5),
        }
        jobs = {name: lambda trainer=trainer: trainer.update(UPDATES) for name, trainer in trainers.items()}
        times = in_turns(jobs, rounds=options.rounds, clock=time.process_time)
        written, recorded = times.values()
        cells = (f"{1e3 * each.median / UPDATES:>6.2f} ms {each.spread:>14}" for each in times.values())
        print(f"{method:<20}{game:<24}  {' '.join(cells)}  {ratio(written, recorded)}", flush=True)


def trained(method: str, game: str, *, after: int) -> OffPolicyTrainer:
    """Past the first updates, which are recorded `after` so many."""
    base.RECORDED_AFTER = after
    plan = make_plan(Sources.read(method, game, {"use_cuda": False}))
    trainer = Experiment(plan, lambda line: None).trainer
    while trainer.learner.updates < 10:
        trainer.iterate()
    return trainer


if __name__ == "__main__":
    main()
