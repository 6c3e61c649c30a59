"""A learning rate that changes with the environment steps of a run: settings of learners that want one."""

from typing import Self

from pydantic import Field, model_validator

from cohort.components.schedules import LinearSchedule
from cohort.settings import Settings


class AnnealedRateSettings(Settings):
    lr: float = Field(gt=0, description="learning rate at the beginning of a run")
    # a file that does not extend the value family need not name what it does not want
    lr_final: float | None = Field(
        default=None, ge=0, description="learning rate after lr_anneal_time; null: lr stays"
    )
    lr_anneal_time: int | None = Field(
        default=None, ge=1, description="environment steps over which lr goes in a straight line to lr_final"
    )

    @model_validator(mode="after")
    def an_end_has_a_time(self) -> Self:
        if (self.lr_final is None) != (self.lr_anneal_time is None):
            raise ValueError(
                f"lr_final ({self.lr_final}) and lr_anneal_time ({self.lr_anneal_time}) go together: give both, "
                "or null for both, which keeps lr"
            )
        return self

    @property
    def rate(self) -> LinearSchedule:
        """Flat where nothing is annealed."""
        if self.lr_final is None or self.lr_anneal_time is None:
            return LinearSchedule(self.lr, self.lr, 1)
        return LinearSchedule(self.lr, self.lr_final, self.lr_anneal_time)
