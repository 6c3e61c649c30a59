"""What an episode costs AdaMa and its relatives: `python -m benchmarks.actor_critic`.

For each particle world: CPU milliseconds of playing an episode and of an update (1,024 transitions, sampling included)
for each method, measured in turns within one run on one thread, how they compare with fixed rates, and what that makes
for a run of the paper's length. `--worlds` and `--rounds` make it shorter.
"""

import argparse
import time

from benchmarks.timing import in_turns, ratio
from cohort.components.process import prepare_process
from cohort.configuration.plan import Sources, make_plan
from cohort.experiment import Experiment
from cohort.trainers.off_policy import OffPolicyTrainer

WORLDS = ("going_together", "cooperative_navigation", "predator_prey", "clustering")
FIXED = "fixed rates"
SMOOTH = {"critic_activation": "softplus", "second_order": "hvp"}
METHODS = {  # name -> --config and what is typed
    FIXED: ("maddpg_fixed_lr", {}),
    "AdaGrad": ("maddpg_adagrad", {}),
    "AdaMa": ("adama", {}),
    "AdaMa (2nd), secant": ("adama_2nd", {}),
    "AdaMa (2nd), hvp": ("adama_2nd", SMOOTH),
}
ENOUGH = 5_000  # transitions in memory before anything is timed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS, metavar="WORLD")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    prepare_process(1)
    for world in options.worlds:
        measure(world, options.rounds)


def measure(world: str, rounds: int) -> None:
    """One table."""
    trainers = {name: ready(config, world, typed) for name, (config, typed) in METHODS.items()}
    jobs = {name: lambda trainer=trainer: trainer.update(1) for name, trainer in trainers.items()}
    fixed = trainers[FIXED]
    games = fixed.settings.batch_size_run
    times = in_turns({"play": fixed.collect, **jobs}, rounds=rounds, clock=time.process_time)
    playing = times.pop("play").median / games
    episodes = episodes_of(world)
    print(f"\n{world}: an episode is played in {1e3 * playing:.2f} CPU ms ({games} side by side)")
    print(f"{'method':<22}{'update':>10} {'spread':>14}  {'in fixed rates':<22} {episodes:,} episodes")
    for name, each in times.items():
        minutes = episodes * (playing + each.median) / 60
        print(
            f"{name:<22}{1e3 * each.median:>7.2f} ms {each.spread:>14}  "
            f"{ratio(each, times[FIXED]):<22} {minutes:.1f} CPU min"
        )


def ready(config: str, world: str, typed: dict[str, object]) -> OffPolicyTrainer:
    """A trainer with enough in its memory."""
    plan = make_plan(Sources.read(config, world, {"use_cuda": False, **typed}))
    trainer = Experiment(plan, say=lambda line: None).trainer
    while len(trainer.replay) < ENOUGH:
        trainer.collect()
    return trainer


def episodes_of(world: str) -> int:
    """How many the paper's runs have."""
    plan = make_plan(Sources.read("maddpg_fixed_lr", world, {}))
    return plan.run.t_max // plan["env"].settings.episode_limit


if __name__ == "__main__":
    main()
