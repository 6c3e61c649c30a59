"""Collect, learn, forget: the trainer of methods that learn from their present policy alone."""

from typing import Any, Protocol

import torch
from pydantic import Field

from cohort.components.averages import Metrics
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.controllers.team_policy import TeamPolicy
from cohort.runners.env_factory import EnvFactory
from cohort.settings import Settings
from cohort.trainers.team import TeamTrainer


class OnPolicyTrainerSettings(Settings):
    batch_size_run: int = Field(
        ge=1, description="episodes that are played side by side, and learned from together"
    )
    epochs: int = Field(ge=1, description="how often each collected episode is learned from")
    minibatches: int = Field(ge=1, description="parts that the episodes are split into anew for each epoch")


class OnPolicyLearner(Protocol):
    """A learner that provides `prepare`; all else it has is a `Learner`'s."""

    def prepare(self, episodes: Episodes) -> Episodes:
        """The episodes with what all epochs need, as advantages, among their extras."""

    def update(self, batch: Episodes, clock: Clock) -> Metrics:
        """One update from some of the prepared episodes."""


class OnPolicyTrainer(TeamTrainer):
    """One round: play `batch_size_run` episodes, prepare them, learn from them `epochs` times, forget them."""

    Settings = OnPolicyTrainerSettings
    requires_of_learner = ("prepare",)
    provides = ("sides",)

    def __init__(
        self,
        settings: OnPolicyTrainerSettings,
        *,
        games: EnvFactory,
        policy: TeamPolicy,
        learner: OnPolicyLearner,
        generator: torch.Generator,
    ) -> None:
        """`generator`, a CPU generator, splits the episodes into minibatches."""
        super().__init__(games=games, policy=policy, learner=learner, batch_size_run=settings.batch_size_run)
        self.settings, self.generator = settings, generator

    def iterate(self) -> None:
        episodes = self.runner.run(t_env=self.t_env, explore=True)
        self.count(episodes, steps=int(episodes.length.sum()))
        prepared = self.learner.prepare(episodes.as_numbers())
        for _ in range(self.settings.epochs):
            order = torch.randperm(prepared.batch_size, generator=self.generator)
            for chosen in order.chunk(self.settings.minibatches):
                self.learn_from(prepared.rows(chosen.to(prepared.length.device)))

    @property
    def parts(self) -> dict[str, Any]:
        return {**super().parts, "generator": self.generator}
