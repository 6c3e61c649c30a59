"""MNMPG's outer loop: exercise the team on fresh data, see whether it got better, teach the hierarchy."""

from typing import Any, Literal, Protocol, Self

import torch
from pydantic import Field, model_validator

from cohort.components.averages import Metrics
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.replay import Replay
from cohort.controllers.team_policy import TeamPolicy
from cohort.runners.env_factory import EnvFactory
from cohort.trainers.off_policy import OffPolicyTrainer, OffPolicyTrainerSettings


class MetaMixingTrainerSettings(OffPolicyTrainerSettings):
    meta_interval: int = Field(ge=1, description="environment steps (as counted) between two meta rounds")
    meta_interval_from: Literal["end", "start"] = Field(
        description="where the interval begins: at a meta round's end, so that it counts plain rounds alone, or at its "
        "start, the steps of D0 and D1 included"
    )
    meta_start: int = Field(ge=0, description="environment steps (as counted) before the first meta round")
    meta_episodes: int = Field(ge=2, description="M, episodes in each of D0 and D1")
    meta_batch_size_run: int = Field(
        ge=1,
        description="episodes of one of the authors' parallel rounds; matters only for their way of counting",
    )
    exercise_updates: int = Field(ge=1, description="Q-learning steps on D0 in the exercise move")
    meta_updates: int = Field(
        ge=0, description="Q-learning steps on the replay memory that close a meta round"
    )
    ratio_one: bool = Field(
        description="close with the updates that the round's appended episodes have earned, less the exercise: with "
        "updates_per_episode=1 one for each"
    )
    count_all_steps: bool = Field(
        description="t_env counts every step (False, as the authors: the longest episode of each round)"
    )
    append_all_meta: bool = Field(
        description="all of D0 and D1 enter the replay memory (False, as the authors: the first of each round)"
    )

    @model_validator(mode="after")
    def rounds_are_whole(self) -> Self:
        if self.meta_episodes % self.meta_batch_size_run:
            raise ValueError("meta_episodes must be a multiple of meta_batch_size_run")
        return self


class MetaStep(Protocol):
    """What teaches the hierarchy."""

    def store_z(self, episodes: Episodes) -> Episodes:
        """D0 with a z for every step."""

    def update(self, before: Episodes, after: Episodes) -> Metrics:
        """One step by how much better D1 was than D0."""


class MetaTaught(Protocol):
    """A learner that provides `meta_step`; all else it has is a `Learner`'s."""

    meta: MetaStep

    def exercise(self, episodes: Episodes, clock: Clock) -> Metrics:
        """One update on all of D0."""


class MetaMixingTrainer(OffPolicyTrainer):
    """MNMPG, Algorithm 1, with the plain Q-learning rounds that its experiments put between two meta rounds.

    Departs from it in: all D0 episodes are collected at once, and z, which acting never reads, is drawn for the
    whole of D0 right after; pi' is kept after the exercise move.
    """

    Settings = MetaMixingTrainerSettings
    requires_of_learner = ("meta_step",)
    provides = ()  # D0 and D1 are compared: each is of one policy alone

    counters = (*OffPolicyTrainer.counters, "t_env_true", "t_meta", "meta_rounds")

    def __init__(
        self,
        settings: MetaMixingTrainerSettings,
        *,
        games: EnvFactory,
        policy: TeamPolicy,
        learner: MetaTaught,
        replay: Replay,
    ) -> None:
        super().__init__(settings, games=games, policy=policy, learner=learner, replay=replay)
        self.meta_runner = self.make_runner(settings.meta_episodes, "meta")
        self.t_env_true = 0  # every step ever played, however t_env counts
        self.t_meta = 0
        self.meta_rounds = 0

    def iterate(self) -> None:
        self.collect()
        if self.meta_is_due:
            self.meta_round()
        else:
            self.learn()

    @property
    def meta_is_due(self) -> bool:
        waited = self.t_env - self.t_meta >= self.settings.meta_interval
        return self.can_learn and waited and self.t_env >= self.settings.meta_start

    def meta_round(self) -> None:
        """D0, exercise move, D1, meta step, then Q-learning on everything."""
        began = self.clock
        before = self.learner.meta.store_z(self.meta_runner.run(t_env=self.t_env, explore=True).as_numbers())
        for _ in range(self.settings.exercise_updates):
            self.averages.add(self.learner.exercise(before, self.clock))
        after = self.meta_runner.run(t_env=self.t_env, explore=True).as_numbers()
        self.averages.add(self.learner.meta.update(before, after))
        for episodes in (before, after):
            self.keep_meta(episodes)
        if self.settings.ratio_one:
            self.earn(episodes=self.episode - began.episodes, steps=self.t_env - began.steps)
            self.updates_owed -= self.settings.exercise_updates
            self.learn(since=began)
        else:
            self.updates_owed = 0.0
            self.update(self.settings.meta_updates, since=began)
        self.t_meta = self.t_env if self.settings.meta_interval_from == "end" else began.steps
        self.meta_rounds += 1

    def keep_meta(self, episodes: Episodes) -> None:
        """Store and count a batch of the meta loop, honestly or as the authors' code does."""
        rounds = episodes.length.view(-1, self.settings.meta_batch_size_run)
        true_steps = int(episodes.length.sum())
        steps = true_steps if self.settings.count_all_steps else int(rounds.max(dim=1).values.sum())
        self.t_env_true += true_steps - steps
        if not self.settings.append_all_meta:
            firsts = torch.arange(0, episodes.batch_size, self.settings.meta_batch_size_run)
            episodes = episodes.rows(firsts.to(episodes.length.device))
        self.keep(episodes, steps=steps)

    def keep(self, episodes: Episodes, *, steps: int) -> None:
        super().keep(episodes, steps=steps)
        self.t_env_true += steps

    def metrics(self) -> dict[str, float]:
        own = {"t_env_true": float(self.t_env_true), "meta_rounds": float(self.meta_rounds)}
        return {**super().metrics(), **own}

    @property
    def parts(self) -> dict[str, Any]:
        return {**super().parts, "meta_runner": self.meta_runner}
