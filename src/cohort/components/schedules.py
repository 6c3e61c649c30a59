"""Values that change with the number of environment steps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinearSchedule:
    """A straight line from `start` to `finish` over `duration` environment steps, then flat."""

    start: float
    finish: float
    duration: int

    def at(self, t_env: int) -> float:
        progress = min(1.0, t_env / self.duration)
        return self.start * (1 - progress) + self.finish * progress  # exact at both ends
