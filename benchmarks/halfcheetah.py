"""What the 2-agent HalfCheetah costs: `python -m benchmarks.halfcheetah`.

Environment steps per second of the robots alone, CPU seconds of one iteration of pre-training and of one chain of a
meta-update (value network included), with the paper's sizes on one thread: K = 64 matches of 200 steps, L = 2.
"""

import argparse
import resource
import time

import torch

from benchmarks.timing import in_turns
from cohort.components.process import prepare_process
from cohort.components.seeding import generator
from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.envs.halfcheetah.game import HalfCheetahGame

METHODS = ("meta_mapg", "meta_pg", "lola_dice", "reinforce")


def plan_of(method: str) -> Plan:
    return make_plan(Sources.read(method, "halfcheetah_dir", {}))


def make_learner(method: str, game: HalfCheetahGame):
    plan = plan_of(method)
    steps = plan["env"].settings.episode_limit
    return plan["learner"].create(game=game, steps=steps, device=torch.device("cpu"), seed=1)


def physics_alone(game: HalfCheetahGame, matches: int = 64, steps: int = 200) -> None:
    rollout = game.begin(game.chance((1, matches), steps, generator(1, "benchmark")))
    for draws in rollout.draws:
        rollout.step(list(draws))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare_process(1)
    game = HalfCheetahGame(1.0, 0.01)
    pair = make_learner("cheetah_teammates", game)
    peer = {name: each.detach()[None, None].clone() for name, each in pair.actors[1].items()}
    jobs = {"physics": lambda: physics_alone(game), "pre-training": pair.update}
    for method in options.methods:
        learner = make_learner(method, game)
        jobs[method] = lambda learner=learner: learner.update(peer)
    times = in_turns(jobs, rounds=options.rounds, seconds=0, clock=time.process_time)
    for name, each in times.items():
        print(f"{name}: {each.median:.2f} CPU s ({each.spread})")
    print(f"physics: {64 * 200 / times['physics'].median:,.0f} environment steps per CPU second")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
