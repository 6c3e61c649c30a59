"""What one meta-update costs: `python -m benchmarks.meta_gradient`.

Meta-MAPG on the iterated prisoner's dilemma with the paper's sizes: LSTM of 64, K = 64 matches of 150 steps under each
of 8 joint policies, value network included. Ours, with the derivatives of the recurrent network written out
(`src/cohort/modules/lstm.py`), against one cell per step under autograd (`benchmarks/per_step_lstm.py`),
which keeps the whole unrolled graph. CPU seconds for each chain on one thread, in turns.
"""

import argparse
import resource
import time

import torch

from benchmarks.per_step_lstm import PerStepPolicy
from benchmarks.timing import in_turns, ratio
from cohort.components.process import prepare_process
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.repeated_games import prisoners_dilemma
from cohort.learners.meta.meta_mapg_learner import MetaMAPGLearner
from cohort.learners.meta.personas import draw_population


def make_learner(chains_at_once: int, *, per_step: bool, inner_objective: str) -> MetaMAPGLearner:
    typed = {"chains_at_once": chains_at_once, "inner_objective": inner_objective}
    plan = make_plan(Sources.read("meta_mapg", "ipd", typed))
    learner = plan["learner"].create(
        game=prisoners_dilemma(), steps=plan["env"].settings.episode_limit, device=torch.device("cpu"), seed=1
    )
    if per_step:
        hidden = plan["learner"].settings.rnn_hidden_dim
        learner.policies = (PerStepPolicy(5, 2, hidden), learner.policies[1])
        learner.value = PerStepPolicy(5, 1, hidden)
    return learner


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at-once", type=int, nargs="+", default=[1], help="chains in memory together")
    parser.add_argument("--only", choices=("ours", "per_step"), help="one side alone, as for its peak memory")
    parser.add_argument("--inner-objective", choices=("dice", "loaded"), default="dice")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare_process(1)
    personas = draw_population(prisoners_dilemma(), 1, (8, 1, 1))["train"]
    for count in options.at_once:
        peers = {"logits": personas.logits[torch.arange(count).unsqueeze(1)]}
        jobs = {}
        for name in (options.only,) if options.only else ("ours", "per_step"):
            learner = make_learner(
                count, per_step=name == "per_step", inner_objective=options.inner_objective
            )
            jobs[name] = lambda learner=learner, peers=peers: learner.update(peers)
        times = in_turns(jobs, rounds=options.rounds, seconds=0, clock=time.process_time)
        for name, each in times.items():
            print(f"{count} at once, {name}: {each.median / count:.2f} CPU s for each chain ({each.spread})")
        if len(times) == 2:
            print(f"{count} at once: {ratio(times['per_step'], times['ours'])} times as fast")
        print(f"peak memory so far: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
