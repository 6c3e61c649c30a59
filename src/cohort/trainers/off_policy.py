"""Collect, keep, replay: the trainer of value-based methods."""

from typing import Any, Self

from pydantic import Field, model_validator

from cohort.components.averages import EpisodeStatistics, Metrics, RunningAverages
from cohort.components.episodes import Episodes
from cohort.components.replay import EpisodeReplay
from cohort.controllers.shared import SharedController
from cohort.learners.base import Learner
from cohort.runners.env_factory import EnvFactory
from cohort.settings import Settings
from cohort.trainers.team import TeamTrainer


class OffPolicyTrainerSettings(Settings):
    batch_size_run: int = Field(ge=1, description="games that are played side by side while collecting")
    batch_size: int = Field(ge=1, description="episodes of each update")
    updates_per_episode: float = Field(
        gt=0, description="updates for each collected episode, e.g. 1 or 0.125"
    )
    buffer_size: int = Field(ge=1, description="episodes the replay memory holds; at least one batch")

    @model_validator(mode="after")
    def a_batch_fits_the_memory(self) -> Self:
        if self.batch_size > self.buffer_size:
            raise ValueError(
                f"batch_size ({self.batch_size}) is more than buffer_size ({self.buffer_size}): "
                "no batch would ever come together, and nothing would be learned. Raise buffer_size or lower batch_size"
            )
        return self


class OffPolicyTrainer(TeamTrainer):
    """One round: play `batch_size_run` episodes, keep them, then update as often as they have earned.

    Two clocks: `t_env` counts environment steps, `learner.updates` gradient steps. `updates_per_episode` ties them.
    """

    Settings = OffPolicyTrainerSettings

    def __init__(
        self,
        settings: OffPolicyTrainerSettings,
        *,
        games: EnvFactory,
        controller: SharedController,
        learner: Learner,
        replay: EpisodeReplay,
    ) -> None:
        super().__init__(games=games, controller=controller, learner=learner)
        self.settings, self.replay = settings, replay
        self.runner = self.make_runner(settings.batch_size_run, "train")
        self.t_env = 0
        self.episode = 0
        self.updates_owed = 0.0
        self.statistics = EpisodeStatistics()
        self.averages = RunningAverages()
        self.latest: Episodes | None = None

    def round(self) -> None:
        self.collect()
        self.learn()

    def collect(self) -> None:
        """Play one batch of episodes with the exploring policy and keep it."""
        episodes = self.runner.run(t_env=self.t_env, explore=True)
        self.keep(episodes, steps=int(episodes.length.sum()))
        self.updates_owed += self.settings.updates_per_episode * episodes.batch_size

    def keep(self, episodes: Episodes, *, steps: int) -> None:
        """Count `steps` environment steps, remember the statistics and store the episodes."""
        self.replay.add(episodes)
        self.statistics.add(episodes)
        self.t_env += steps
        self.episode += episodes.batch_size
        self.latest = episodes

    def learn(self) -> None:
        """The updates that are owed, once there is a whole batch to learn from. Nothing is owed from before."""
        if not self.can_learn:
            self.updates_owed = 0.0
            return
        due = max(0, int(self.updates_owed + 1e-9))  # 10 x 0.1 is one update, whatever floating point says
        self.updates_owed -= due
        self.update(due)

    @property
    def can_learn(self) -> bool:
        return len(self.replay) >= self.settings.batch_size

    def update(self, times: int) -> None:
        for _ in range(times):
            batch = self.replay.sample(self.settings.batch_size)
            self.averages.add(self.learner.update(batch, episode=self.episode))

    def metrics(self) -> dict[str, float]:
        """What happened since the last call, as numbers: episodes, updates, and the learner's diagnostics."""
        diagnostics: Metrics = self.learner.diagnostics(self.latest)
        return {
            **self.statistics.flush(),
            **self.averages.flush(),
            **{name: float(value) for name, value in diagnostics.items()},
            **self.runner.exploration(self.t_env),
        }

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "runner": self.runner.state_dict(),
            "replay": self.replay.state_dict(),
            "statistics": self.statistics.state_dict(),
            "averages": self.averages.state_dict(),
            "counters": {name: getattr(self, name) for name in self.counters},
        }

    counters = ("t_env", "episode", "updates_owed")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        for name in ("runner", "replay", "statistics", "averages"):
            getattr(self, name).load_state_dict(state[name])
        for name in self.counters:
            setattr(self, name, state["counters"][name])
