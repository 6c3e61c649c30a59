"""How far a run is, in the three units that intervals are given in."""

from typing import Literal, NamedTuple

ClockUnit = Literal["steps", "episodes", "updates"]


class Clock(NamedTuple):
    """Environment steps, collected episodes and updates, all since the run began."""

    steps: int = 0
    episodes: int = 0
    updates: int = 0
