"""The off-policy trainer of methods that learn from old episodes and, in the same update, from recent ones (DOP)."""

from typing import Self

from pydantic import Field, model_validator

from cohort.components.mixed_batch import MixedBatch
from cohort.trainers.off_policy import OffPolicyTrainer, OffPolicyTrainerSettings


class MixedReplayTrainerSettings(OffPolicyTrainerSettings):
    recent_batch_size: int = Field(
        ge=1, description="episodes of each update that are recent, and episodes that are the latest"
    )
    recent_size: int = Field(
        ge=1, description="how many of the episodes played last count as recent; at least recent_batch_size"
    )

    @model_validator(mode="after")
    def recent_batches_can_be_drawn(self) -> Self:
        if not self.recent_batch_size <= self.recent_size <= self.batch_size:
            raise ValueError(
                f"recent_batch_size ({self.recent_batch_size}) may be at most recent_size ({self.recent_size}), and "
                f"that at most batch_size ({self.batch_size}), after which learning begins"
            )
        return self


class MixedReplayTrainer(OffPolicyTrainer):
    """As `OffPolicyTrainer`, but that each update has a `MixedBatch`, drawn from one replay memory."""

    Settings = MixedReplayTrainerSettings
    requires_of_learner = ("mixed_batches",)
    provides = ("mixed_batches", "sides")

    settings: MixedReplayTrainerSettings

    def draw(self) -> MixedBatch:
        settings = self.settings
        few = settings.recent_batch_size
        return MixedBatch(
            replayed=self.replay.sample(settings.batch_size),
            recent=self.replay.sample(few, latest=settings.recent_size),
            latest=self.replay.sample(few, latest=few),
        )
