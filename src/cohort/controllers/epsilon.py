"""What selectors that explore by a falling epsilon have in common."""

from pydantic import Field

from cohort.components.schedules import LinearSchedule
from cohort.settings import Settings


class EpsilonSettings(Settings):
    epsilon_start: float = Field(
        ge=0, le=1, description="chance of a random action at the first step, or weight of the noise"
    )
    epsilon_finish: float = Field(ge=0, le=1, description="the same after the annealing")
    epsilon_anneal_time: int = Field(ge=1, description="environment steps over which epsilon falls in a line")


class EpsilonSelector:
    """Epsilon falls in a line with the environment steps; a kind of selector adds `select`."""

    Settings = EpsilonSettings

    def __init__(self, settings: EpsilonSettings) -> None:
        self.schedule = LinearSchedule(
            settings.epsilon_start, settings.epsilon_finish, settings.epsilon_anneal_time
        )

    def metrics(self, t_env: int) -> dict[str, float]:
        return {"epsilon": self.schedule.at(t_env)}
