"""What trainers share that teach one team by letting it play episodes: its games, its test, its record."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

import torch

from cohort.components.averages import EpisodeStatistics
from cohort.components.seeding import generator
from cohort.configuration.plan import Plan
from cohort.controllers.shared import SharedController
from cohort.envs.base import EnvSpec
from cohort.learners.base import Learner
from cohort.recording.folder import RunFolder
from cohort.runners.env_factory import EnvFactory
from cohort.runners.in_process import InProcessRunner
from cohort.trainers.base import StepCallback, Trainer


class TeamTrainer(Trainer):
    """A trainer whose learner and runners share one controller."""

    roles = ("env", "runner", "mac", "agent", "action_selector", "learner", "memory", "trainer")
    subject = "team"

    learner: Learner

    def __init__(self, *, games: EnvFactory, controller: SharedController, learner: Learner) -> None:
        self.games, self.controller, self.learner = games, controller, learner
        self.test_runner = games.test_runner(controller)

    @classmethod
    def build(cls, plan: Plan, device: torch.device, say: Callable[[str], None]) -> Self:
        games = EnvFactory(plan, device, say)
        controller, learner = build_learner(plan, games.spec, device)
        replay = plan["memory"].create(
            spec=games.spec, device=device, generator=generator(plan.run.seed, "replay")
        )
        say(replay.describe())
        return plan["trainer"].create(games=games, controller=controller, learner=learner, replay=replay)

    def make_runner(self, episodes: int, purpose: str) -> InProcessRunner:
        """A runner of this team that plays `episodes` at a time, with games and randomness of its own."""
        return self.games.runner(self.controller, episodes, purpose)

    def iterate(self) -> None:
        self.round()
        self.games.report_crashes()

    @abstractmethod
    def round(self) -> None:
        """One round of collecting, keeping and updating."""

    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """Metrics of `test_nepisode` greedy episodes of exactly the parameters of this moment."""
        statistics = EpisodeStatistics()
        statistics.add(self.test_runner.run(t_env=self.t_env, explore=False, watch=watch))
        return statistics.flush(prefix="test_")

    def filmed(self, folder: RunFolder) -> AbstractContextManager[StepCallback]:
        return self.games.filmed(folder)

    def load_model(self, state: dict[str, Any], step: int) -> None:
        # the count of collected episodes starts anew, and the targets follow by that count
        self.learner.load_state_dict({**state, "last_sync": 0})
        self.t_env = step

    def worker_metrics(self) -> dict[str, float]:
        return self.games.metrics()

    @property
    def environment_facts(self) -> Mapping[str, str | int]:
        return self.games.facts

    def close(self) -> None:
        self.games.close()

    def state_dict(self) -> dict[str, Any]:
        return {"learner": self.learner.state_dict(), "test_runner": self.test_runner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        self.test_runner.load_state_dict(state["test_runner"])


def build_learner(plan: Plan, spec: EnvSpec, device: torch.device) -> tuple[SharedController, Learner]:
    """The team's controller and the learner that trains it, for an environment of these sizes."""
    selector = plan["action_selector"].create()
    controller = (
        plan["mac"].create(spec=spec, agent=plan["agent"].create, action_selector=selector).to(device)
    )
    parts = {role: plan[role].create(spec=spec).to(device) for role in plan["learner"].cls.parts}
    learner = plan["learner"].create(
        spec=spec, controller=controller, device=device, seed=plan.run.seed, **parts
    )
    return controller, learner
