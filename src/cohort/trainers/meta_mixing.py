"""MNMPG's outer loop: exercise the team on fresh data, see whether it got better, teach the hierarchy."""

from typing import Any, Self

import torch
from pydantic import Field, model_validator

from cohort.components.episodes import Episodes
from cohort.components.replay import EpisodeReplay
from cohort.controllers.shared import SharedController
from cohort.learners.value.mnmpg_learner import MNMPGLearner
from cohort.runners.env_factory import EnvFactory
from cohort.trainers.off_policy import OffPolicyTrainer, OffPolicyTrainerSettings


class MetaMixingTrainerSettings(OffPolicyTrainerSettings):
    meta_interval: int = Field(ge=1, description="environment steps (as counted) between two meta rounds")
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
        description="close with one step per episode appended since the last, less the exercise"
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


class MetaMixingTrainer(OffPolicyTrainer):
    """MNMPG, Algorithm 1, with the plain Q-learning rounds that its experiments put between two meta rounds.

    Departs from it in: all D0 episodes are collected at once, and z, which acting never reads, is drawn for the
    whole of D0 right after; pi' is kept after the exercise move.
    """

    Settings = MetaMixingTrainerSettings

    counters = (*OffPolicyTrainer.counters, "t_env_true", "t_meta", "meta_rounds")

    def __init__(
        self,
        settings: MetaMixingTrainerSettings,
        *,
        games: EnvFactory,
        controller: SharedController,
        learner: MNMPGLearner,
        replay: EpisodeReplay,
    ) -> None:
        if not isinstance(learner, MNMPGLearner):
            raise ValueError(
                f"trainer=meta_mixing teaches a hierarchy: it needs learner=mnmpg_learner, not {type(learner).__name__}"
            )
        super().__init__(settings, games=games, controller=controller, learner=learner, replay=replay)
        self.meta_runner = self.make_runner(settings.meta_episodes, "meta")
        self.t_env_true = 0  # every step ever played, however t_env counts
        self.t_meta = 0
        self.meta_rounds = 0

    def round(self) -> None:
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
        before = self.learner.store_z(self.meta_runner.run(t_env=self.t_env, explore=True))
        for _ in range(self.settings.exercise_updates):
            self.averages.add(self.learner.exercise(before))
        after = self.meta_runner.run(t_env=self.t_env, explore=True)
        self.averages.add(self.learner.meta_update(before, after))
        appended = self.episode
        for episodes in (before, after):
            self.keep_meta(episodes)
        appended = self.episode - appended
        if self.settings.ratio_one:
            self.updates_owed += appended - self.settings.exercise_updates
            self.learn()
        else:
            self.updates_owed = 0.0
            self.update(self.settings.meta_updates)
        self.t_meta = self.t_env
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

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "meta_runner": self.meta_runner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.meta_runner.load_state_dict(state["meta_runner"])
