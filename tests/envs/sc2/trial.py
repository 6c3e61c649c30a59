"""Train over the stand-in for the game, with or without faults: `python -m tests.envs.sc2.trial [--faults] [words]`.

It starts `run.py --config=qmix --env-config=sc2 with env_args.map_name=3m batch_size_run=4 [words]` on a made-up
installation and says what it left behind. With --faults every process of the game dies, hangs, stops, answers an error
or ends its session after a few hundred steps; which of these changes from launch to launch.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from itertools import cycle
from pathlib import Path

from tests.envs.sc2.stand_in_installation import launches, make_installation

ROOT = Path(__file__).parents[3]
RUN = ["--config=qmix", "--env-config=sc2", "with", "env_args.map_name=3m", "batch_size_run=4"]
FAULTS = ("exit", "exit", "hang", "exit", "ended", "exit", "error", "stop")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", action="store_true", help="let the games' processes fail")
    options, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        installation, scratch = Path(folder, "game"), Path(folder, "tmp")
        scratch.mkdir()
        environment = {**os.environ, **make_installation(installation), "TMPDIR": str(scratch)}
        over = threading.Event()
        trouble = threading.Thread(target=make_trouble, args=(installation, over))
        if options.faults:
            words = ["env_args.step_seconds=10", *words]
            trouble.start()
        try:
            run = subprocess.run([sys.executable, "run.py", *RUN, *words], cwd=ROOT, env=environment)
        finally:
            over.set()
            if options.faults:
                trouble.join()
        alive = [pid for pid in launches(installation) if Path(f"/proc/{pid}").exists()]
        print(f"exit status {run.returncode}; {len(launches(installation))} processes of the game were launched, "
              f"{len(alive)} are alive; left in the temporary folder: {os.listdir(scratch)}")  # fmt: skip
    return run.returncode or bool(alive)


def make_trouble(installation: Path, over: threading.Event) -> None:
    """Give the next launch another fault as soon as one has begun; 200 to 500 steps in it comes true."""
    seen = -1
    for number, fault in enumerate(cycle(FAULTS)):
        make_installation(installation, fault=fault, fault_count=200 + 37 * (number % 9))
        while len(launches(installation)) == seen:
            if over.wait(0.1):
                return
        seen = len(launches(installation))


if __name__ == "__main__":
    sys.exit(main())
