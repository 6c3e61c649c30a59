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


@dataclass(frozen=True)
class RestartedSchedule:
    """One line until `restart` environment steps, that step included; another from its beginning behind it."""

    first: LinearSchedule
    restart: int
    second: LinearSchedule

    def at(self, t_env: int) -> float:
        return self.first.at(t_env) if t_env <= self.restart else self.second.at(t_env - self.restart)
