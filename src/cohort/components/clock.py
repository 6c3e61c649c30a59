"""How far a run is, in the three units that intervals are given in."""

from typing import Literal, NamedTuple, Self

ClockUnit = Literal["steps", "episodes", "updates"]


class Clock(NamedTuple):
    """Environment steps, collected episodes and updates, all since the run began."""

    steps: int = 0
    episodes: int = 0
    updates: int = 0

    def towards(self, later: Self, share: float) -> Self:
        """`share` of the way to a later moment, in whole steps, episodes and updates; exact at the end."""
        return type(self)(
            *(begin + int(share * (end - begin)) for begin, end in zip(self, later, strict=True))
        )
