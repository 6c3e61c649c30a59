"""Collect, keep, replay: the trainer of methods that learn from a memory."""

from typing import Any, Self

from pydantic import Field, model_validator

from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.replay import Replay
from cohort.controllers.team_policy import TeamPolicy
from cohort.learners.base import Learner
from cohort.runners.env_factory import EnvFactory
from cohort.settings import Settings
from cohort.trainers.team import TeamTrainer


class OffPolicyTrainerSettings(Settings):
    batch_size_run: int = Field(ge=1, description="games that are played side by side while collecting")
    batch_size: int = Field(ge=1, description="episodes or steps of each update, as the learner reads them")
    updates_per_episode: float | None = Field(
        gt=0, description="updates for each collected episode, e.g. 1 or 0.125; null: see updates_per_step"
    )
    updates_per_step: float | None = Field(
        gt=0,
        description="updates for each environment step, e.g. 1 or 0.04, instead of updates_per_episode; a memory of "
        "steps is learned from while episodes are still being played",
    )
    buffer_size: int = Field(ge=1, description="episodes or steps the replay memory holds; at least a batch")

    @model_validator(mode="after")
    def a_batch_fits_the_memory(self) -> Self:
        if self.batch_size > self.buffer_size:
            raise ValueError(
                f"batch_size ({self.batch_size}) is more than buffer_size ({self.buffer_size}): "
                "no batch would ever come together, and nothing would be learned. Raise buffer_size or lower batch_size"
            )
        return self

    @model_validator(mode="after")
    def updates_are_counted_one_way(self) -> Self:
        if (self.updates_per_episode is None) == (self.updates_per_step is None):
            raise ValueError(
                f"updates_per_episode ({self.updates_per_episode}) and updates_per_step ({self.updates_per_step}) say "
                "the same thing in two units: give one, and null for the other"
            )
        return self


class OffPolicyTrainer(TeamTrainer):
    """One round: play `batch_size_run` episodes, keep them, and update as often as they have earned.

    What ties environment steps to gradient steps is `updates_per_episode` or `updates_per_step`. With the latter and a
    memory of steps, a round keeps and learns from each stretch of its episodes as soon as it has earned an update.
    """

    Settings = OffPolicyTrainerSettings
    roles = (*TeamTrainer.roles, "memory")
    # it learns from episodes that began before its last updates, and can teach several sides at once
    provides = ("late_episodes", "sides")

    counters = (*TeamTrainer.counters, "updates_owed")

    def __init__(
        self,
        settings: OffPolicyTrainerSettings,
        *,
        games: EnvFactory,
        policy: TeamPolicy,
        learner: Learner,
        replay: Replay,
    ) -> None:
        super().__init__(games=games, policy=policy, learner=learner, batch_size_run=settings.batch_size_run)
        self.settings, self.replay = settings, replay
        self.updates_owed = 0.0

    def iterate(self) -> None:
        if self.settings.updates_per_step and self.replay.unit == "steps":
            self.learn_while_playing(self.settings.updates_per_step)
        else:
            self.collect()
            self.learn()

    def collect(self) -> None:
        """Play one batch of episodes with the exploring policy and keep it."""
        episodes = self.runner.run(t_env=self.t_env, explore=True)
        steps = int(episodes.length.sum())
        self.keep(episodes, steps=steps)
        self.earn(episodes=episodes.batch_size, steps=steps)

    def earn(self, *, episodes: int, steps: int) -> None:
        """Owe the updates that so many collected episodes, of so many steps together, pay for."""
        settings = self.settings
        if settings.updates_per_step:
            self.updates_owed += settings.updates_per_step * steps
        else:
            self.updates_owed += settings.updates_per_episode * episodes

    def learn_while_playing(self, updates_per_step: float) -> None:
        """One batch of episodes, a stretch for each update that all its games earn together."""
        steps = max(1, round(1 / (updates_per_step * self.settings.batch_size_run)))
        for stretch, whole in self.runner.stretches(t_env=self.t_env, steps=steps):
            played = int(stretch.length.sum())
            self.replay.add(stretch)
            if whole is None:
                self.t_env += played
            else:
                self.count(whole, steps=played)
            self.earn(episodes=0, steps=played)
            self.learn()

    def keep(self, episodes: Episodes, *, steps: int) -> None:
        """Store and count whole episodes."""
        self.replay.add(episodes)
        self.count(episodes, steps=steps)

    def learn(self, since: Clock | None = None) -> None:
        """The updates that are owed, once there is a whole batch to learn from. Nothing is owed from before.

        `since` is as `update` has it.
        """
        if not self.can_learn:
            self.updates_owed = 0.0
            return
        due = max(0, int(self.updates_owed + 1e-9))  # 10 x 0.1 is one update, whatever floating point says
        self.updates_owed -= due
        self.update(due, since)

    @property
    def can_learn(self) -> bool:
        return len(self.replay) >= self.settings.batch_size

    def update(self, times: int, since: Clock | None = None) -> None:
        """So many updates at this moment, or spread evenly over the time from `since` to this moment.

        Spread, targets are copied and rates fall between them as they would have, had the episodes come one by one.
        """
        now = self.clock
        for done in range(1, times + 1):
            clock = now if since is None else since.towards(now, done / times)
            self.learn_from(self.draw(), clock)

    def draw(self) -> Any:
        """What one update learns from."""
        return self.replay.sample(self.settings.batch_size)

    @property
    def parts(self) -> dict[str, Any]:
        return {**super().parts, "replay": self.replay}
