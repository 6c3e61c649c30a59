"""`python -m benchmarks.update_beside CHECKOUT`: this tree's updates beside those of another checkout of it.

Each tree has a process of its own; they take turns, and the CPU time of each is its own. For every method and size:
milliseconds of one update on 32 episodes of T/4 to T steps, and how many times as fast this tree is, pair by pair.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.timing import Times, ratio

HERE = Path(__file__).resolve().parents[1]
ROUNDS, UPDATES = 9, 12
WORKER = """
import sys, time, torch
sys.path.insert(0, sys.argv[1] + "/src")
from cohort.assembly import build_learner
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.process import prepare_process
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.base import EnvSpec
prepare_process(1)
algorithm, (agents, actions, obs, state, steps) = sys.argv[2], map(int, sys.argv[3:8])
torch.manual_seed(0)
length = torch.linspace(steps / 4, steps, 32).round().long()
ends = torch.arange(steps) == length[:, None] - 1
after = (torch.arange(steps + 1) > length[:, None])[..., None]
episodes = Episodes(
    obs=torch.rand(32, steps + 1, agents, obs).masked_fill(after[..., None], 0.0),
    state=torch.rand(32, steps + 1, state).masked_fill(after, 0.0),
    available_actions=torch.ones(32, steps + 1, agents, actions, dtype=torch.bool),
    actions=torch.randint(0, actions, (32, steps, agents)),
    reward=torch.rand(32, steps),
    terminated=ends, truncated=torch.zeros_like(ends), length=length,
)
plan = make_plan(Sources.read(algorithm, "matrix_games", {}))
learner = build_learner(plan, EnvSpec(agents, actions, obs, state, steps), torch.device("cpu"))[1]
for line in sys.stdin:
    start = time.process_time()
    for _ in range(int(line)):
        learner.update(episodes, Clock(episodes=0))
    print((time.process_time() - start) / int(line), flush=True)
"""
SIZES = {"3m, T=25": (3, 9, 30, 48, 25), "3m, T=60": (3, 9, 30, 48, 60), "8m, T=60": (8, 14, 80, 168, 60)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="the other tree's folder")
    parser.add_argument("--algorithms", nargs="+", default=["qmix", "mnmpg"])
    options = parser.parse_args()
    print(f"{'method':<8}{'size':<10}{'there':>8} {'spread':>12}  {'here':>8} {'spread':>12}  times as fast")
    for algorithm in options.algorithms:
        for name, size in SIZES.items():
            workers = [Worker(tree, algorithm, size) for tree in (options.checkout, HERE)]
            for worker in workers:
                worker(UPDATES)  # caches, allocator
            taken = list(zip(*[[worker(UPDATES) for worker in workers] for _ in range(ROUNDS)], strict=True))
            there, here = (Times(list(each)) for each in taken)
            cells = "  ".join(f"{1000 * each.median:>8.1f} {each.spread:>12}" for each in (there, here))
            print(f"{algorithm:<8}{name:<10}{cells}  {ratio(there, here)}", flush=True)
            for worker in workers:
                worker.close()


class Worker:
    """A process with one tree's learner: called with a number of updates, it says the CPU seconds of each."""

    def __init__(self, tree: Path, algorithm: str, size: tuple[int, ...]) -> None:
        words = [sys.executable, "-c", WORKER, str(tree.resolve()), algorithm, *map(str, size)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree, env={}
        )

    def __call__(self, updates: int) -> float:
        print(updates, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


if __name__ == "__main__":
    main()
