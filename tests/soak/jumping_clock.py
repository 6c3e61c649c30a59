"""`run.py` on a machine whose clock jumps to and fro by days: python -m tests.soak.jumping_clock <seed> <words>."""

import datetime
import random
import sys
import time

_DAY = 86_400.0


def jump(seed: int) -> None:
    """From now on, each look at the time of day may find another day. The monotonic clock stays as it is."""
    draw = random.Random(seed)  # not the process's: runs must not notice
    real, now = datetime.datetime, time.time
    off = 0.0

    def shifted() -> float:
        nonlocal off
        if draw.random() < 0.2:
            off = draw.uniform(-30.0, 30.0) * _DAY
        return off

    class Jumping(real):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real.fromtimestamp(now() + shifted(), tz)

    datetime.datetime = Jumping
    time.time = lambda: now() + shifted()


def main() -> int:
    jump(int(sys.argv[1]))
    from cohort.cli import main as run

    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
