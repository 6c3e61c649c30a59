"""`python -m benchmarks.seeds_at_once [with key=value ...]`: seeds one after another, and all in one program.

CPU time of whole runs, records and evaluations included, of qmix on 3m unless told otherwise: in every round one seed
alone, then all at once. What a run of a single round costs, which is mostly starting, is taken off both sides: the
ratio is that of long runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from cohort.program import PACKAGE

START = 1  # environment steps of a run that is mostly starting


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="qmix")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6000, help="environment steps of each seed")
    parser.add_argument("--rounds", type=int, default=3)
    words = list(sys.argv[1:] if words is None else words)
    place = words.index("with") if "with" in words else len(words)
    options, typed = parser.parse_args(words[:place]), words[place + 1 :]
    command = [f"--config={options.config}", "--env-config=sc2_sim", "with", "use_cuda=False", *typed]

    def seconds(steps: int, seed: int, at_once: int) -> float:
        return cpu_seconds([*command, f"t_max={steps}", f"seed={seed}", f"seeds_at_once={at_once}"])

    start = {number: seconds(START, 1, number) for number in (1, options.seeds)}
    ratios = []
    for seed in range(1, options.rounds + 1):
        alone, together = (seconds(options.steps, seed, number) for number in start)
        ratios.append(options.seeds * (alone - start[1]) / (together - start[options.seeds]))
        print(
            f"one seed {alone:.1f} s (starting {start[1]:.1f}), {options.seeds} at once {together:.1f} s "
            f"(starting {start[options.seeds]:.1f}): {ratios[-1]:.2f} times the throughput",
            flush=True,
        )
    print(f"median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def cpu_seconds(words: Sequence[str]) -> float:
    """User and system seconds of one process with these words, to its end."""
    before = os.times()
    with tempfile.TemporaryDirectory() as results:
        subprocess.run(
            [sys.executable, "-c", "import sys; from cohort.cli import main; sys.exit(main())", *words]
            + [f"local_results_path={results}"],
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
