"""What trainers share that teach one team by letting it play: its games, its clock, its test, its record."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from cohort.components.averages import EpisodeStatistics, Metrics, RunningAverages
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.state import restore, state_of
from cohort.controllers.team_policy import TeamPolicy
from cohort.learners.base import Learner
from cohort.recording.folder import RunFolder
from cohort.runners.env_factory import EnvFactory
from cohort.runners.in_process import InProcessRunner
from cohort.trainers.base import StepCallback, Trainer


class TeamTrainer(Trainer):
    """A trainer whose learner and runners share one policy. It counts steps and episodes, the learner updates."""

    roles = ("env", "runner", "mac", "head", "agent", "action_selector", "learner", "trainer")
    subject = "team"

    counters: tuple[str, ...] = ("t_env", "episode", "logged_episode", "logged_updates")
    """The attributes that are plain numbers and part of the state."""

    learner: Learner
    latest: Episodes | None = None  # the episodes that were counted last, for diagnostics

    def __init__(
        self, *, games: EnvFactory, policy: TeamPolicy, learner: Learner, batch_size_run: int
    ) -> None:
        """`batch_size_run` episodes are played at a time."""
        self.games, self.policy, self.learner = games, policy, learner
        self.test_runner = games.test_runner(learner.tested(policy))
        self.runner = self.make_runner(batch_size_run, "train")
        self.t_env = 0
        self.episode = 0
        self.logged_episode, self.logged_updates = 0, 0  # at the last `metrics`
        self.statistics = EpisodeStatistics(learner.sides)
        self.averages = RunningAverages()

    def make_runner(self, episodes: int, purpose: str) -> InProcessRunner:
        """A runner of this team that plays `episodes` at a time, with games and randomness of its own."""
        return self.games.runner(self.policy, episodes, purpose)

    @property
    def clock(self) -> Clock:
        return Clock(self.t_env, self.episode, self.learner.updates)

    def count(self, episodes: Episodes, *, steps: int) -> None:
        """Count `steps` environment steps and whole episodes, whose statistics are remembered."""
        self.t_env += steps
        if episodes.batch_size:  # none where every game of a round broke off
            self.statistics.add(episodes)
            self.episode += episodes.batch_size
            self.latest = episodes

    def learn_from(self, batch: Any, clock: Clock | None = None) -> None:
        """One update at this moment, or another, and what to log about it."""
        self.averages.add(self.learner.update(batch, clock or self.clock))

    def metrics(self) -> dict[str, float]:
        """What happened since the last call, as numbers: episodes, updates, and the learner's diagnostics."""
        diagnostics: Metrics = {} if self.latest is None else self.learner.diagnostics(self.latest)
        return {
            **self.statistics.flush(),
            **self.averages.flush(),
            **{name: float(value) for name, value in diagnostics.items()},
            **self.runner.exploration(self.t_env),
            **self._updates_per_episode(),
        }

    def _updates_per_episode(self) -> dict[str, float]:
        """As it came out since the last call; before there is a batch, and around meta rounds, not as asked for."""
        episodes, updates = self.episode - self.logged_episode, self.learner.updates - self.logged_updates
        if not episodes:
            return {}
        self.logged_episode, self.logged_updates = self.episode, self.learner.updates
        return {"updates_per_episode": updates / episodes}

    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """Metrics of `test_nepisode` episodes of exactly the parameters of this moment, averaged or not."""
        statistics = EpisodeStatistics(self.learner.sides)
        statistics.add(self.test_runner.run(t_env=self.t_env, explore=False, watch=watch))
        return statistics.flush(prefix="test_")

    @property
    def test_metrics(self) -> tuple[str, ...]:
        spec = self.games.spec
        own_returns = 0 if spec.common_reward else spec.n_agents
        return EpisodeStatistics.names(spec.info_keys, own_returns, self.learner.sides, prefix="test_")

    def filmed(self, folder: RunFolder) -> AbstractContextManager[StepCallback]:
        return self.games.filmed(folder)

    def load_model(self, state: dict[str, Any], step: int) -> None:
        self.learner.begin_with(state)
        self.t_env = step

    def report_crashes(self) -> None:
        self.games.report_crashes()

    def worker_metrics(self) -> dict[str, float]:
        return self.games.metrics()

    @property
    def environment_facts(self) -> Mapping[str, str | int]:
        return self.games.facts

    def close(self) -> None:
        self.games.close()

    @property
    def parts(self) -> dict[str, Any]:
        """What has state of its own."""
        names = ("learner", "runner", "test_runner", "statistics", "averages")
        return {name: getattr(self, name) for name in names}

    def state_dict(self) -> dict[str, Any]:
        return {**state_of(self.parts), "counters": {name: getattr(self, name) for name in self.counters}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self.parts, state)
        # checkpoints from before November 2026 have no `logged_...`: as if they had just been logged
        counters = {"logged_episode": state["counters"]["episode"], "logged_updates": self.learner.updates}
        for name, value in (counters | state["counters"]).items():
            setattr(self, name, value)
