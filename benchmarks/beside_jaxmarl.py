"""`python -m benchmarks.beside_jaxmarl FOLDER --python PYTHON`: QMIX here beside JaxMARL's `qmix_rnn.py`.

FOLDER is a checkout of JaxMARL, PYTHON an interpreter that has what it needs (jax, flax, flashbax, distrax, hydra-core,
wandb). Environment steps for each CPU second of training, in turns, one thread each; JaxMARL's networks have the
sizes of ours and it updates as often per step. Neither starting and compiling is counted, nor what is collected before
the first update.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import Times, ratio

HERE = Path(__file__).resolve().parents[1]
OURS = """
import sys
from benchmarks.end_to_end import training
from cohort.components.process import prepare_process
from cohort.configuration.updates import parse_updates
env, games, updates, steps, *typed = sys.argv[1:]
prepare_process(1)
play = training("qmix", env, int(games), float(updates), int(steps), parse_updates(typed))
next(play)
for _ in sys.stdin:
    print(1 / next(play).per_cpu_second, flush=True)
"""
THEIRS = """
import os, sys, time
said = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what its modules print, at whatever level, is no figure
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
os.environ["JAX_PLATFORMS"] = "cpu"
folder, file, env, epochs, steps, overrides = sys.argv[1:]
sys.path[:0] = [folder, folder + "/baselines/QLearning"]
import jax, yaml
from qmix_rnn import env_from_config, make_train
with open(f"{folder}/baselines/QLearning/config/alg/{file}.yaml") as stream:
    config = yaml.safe_load(stream)
sizes = {"HIDDEN_SIZE": 64, "MIXER_EMBEDDING_DIM": 32, "MIXER_HYPERNET_HIDDEN_DIM": 64}
begin = {"LEARNING_STARTS": 0, "TEST_DURING_TRAINING": False, "WANDB_MODE": "disabled", "NUM_EPOCHS": int(epochs)}
config |= sizes | begin | {"ENV_NAME": env} | eval(overrides)
collected = config["NUM_ENVS"] * config["NUM_STEPS"] * config["BUFFER_BATCH_SIZE"]  # steps before its first update
def compiled(steps):
    train = make_train(config | {"TOTAL_TIMESTEPS": float(steps)}, env_from_config(config)[0])
    train = jax.jit(train).lower(jax.random.PRNGKey(0)).compile()
    def seconds(seed):
        start = time.process_time()
        jax.block_until_ready(train(jax.random.PRNGKey(seed)))
        return time.process_time() - start
    seconds(0)
    return seconds
collect, train = compiled(collected), compiled(collected + int(steps))
for seed, _ in enumerate(sys.stdin):
    print((train(seed) - collect(seed)) / float(steps), file=said, flush=True)
"""


class Case(NamedTuple):
    """What both train on."""

    theirs: list[str]  # configuration file, environment, updates of a round, more keys
    ours: list[str]  # environment, then key=value
    games: int
    per_update: int  # environment steps


CASES = {
    "3m": Case(
        ["ql_rnn_smax", "HeuristicEnemySMAX", "8", "{'MAP_NAME': '3m'}"],
        ["sc2_sim", "env_args.map_name=3m"],
        games=16,
        per_update=256,
    ),
    "spread": Case(
        ["ql_rnn_mpe", "MPE_simple_spread_v3", "1", "{}"],
        ["spread", "env_args.n_agents=3", "env_args.common_reward=True"],
        games=8,
        per_update=208,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="JaxMARL's checkout")
    parser.add_argument("--python", required=True, help="the interpreter that runs it")
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--steps", type=int, default=16640, help="environment steps of a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{'game':<8}{'JaxMARL':>9} {'spread':>12} {'ours':>9} {'spread':>12}  ours in JaxMARL's (range)")
    for name, case in CASES.items():
        if options.only in (None, name):
            file, env, epochs, more = case.theirs
            there = [file, env, epochs, str(options.steps), more]
            theirs = Worker(options.python, THEIRS, [str(options.folder.resolve()), *there])
            game, *typed = case.ours
            # nulls: one says how often updates follow
            keys = [*typed, "updates_per_episode=null", f"updates_per_step={1 / case.per_update}"]
            ours = Worker(sys.executable, OURS, [game, str(case.games), "1", str(options.steps), *keys])
            pairs = [(theirs(), ours()) for _ in range(options.rounds)]
            slow, fast = (Times(list(each)) for each in zip(*pairs, strict=True))
            cells = " ".join(f"{each.rate(1):>9,.0f} {each.spread:>12}" for each in (slow, fast))
            print(f"{name:<8}{cells}  {ratio(slow, fast)}", flush=True)
            theirs.close()
            ours.close()


class Worker:
    """A process that says, whenever it is called, the CPU seconds of an environment step."""

    def __init__(self, python: str, code: str, words: list[str]) -> None:
        self.process = subprocess.Popen(
            [python, "-c", code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE
        )

    def __call__(self) -> float:
        print(file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


if __name__ == "__main__":
    main()
