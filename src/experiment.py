"""One run: its pieces are put together here, and here is the one training loop."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from src.components.averages import EpisodeStatistics
from src.components.process import prepare_process
from src.components.seeding import derive_seed, generator
from src.configuration.plan import Plan
from src.controllers.shared import SharedController
from src.envs.base import EnvSpec, MultiAgentEnv
from src.envs.workers.env import WorkerEnv
from src.learners.base import Learner
from src.recording.checkpoints import save_atomically
from src.recording.folder import RunFolder
from src.recording.models import save_model
from src.recording.recorder import Recorder
from src.recording.replay import Replay
from src.recording.stop import Stop
from src.runners.in_process import InProcessRunner


class Experiment:
    """Evaluate, collect, learn, record, checkpoint, until `t_max`."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        """Build everything and write nothing. `say` prints one line for the user."""
        self.plan, self.settings, self._say = plan, plan.run, say
        prepare_process(plan.run.torch_threads)
        self.device = choose_device(plan.run.use_cuda)
        torch.manual_seed(derive_seed(plan.run.seed, "networks"))

        self._worker_env: WorkerEnv | None = None
        self._lost_games = 0  # that the user was told of
        test_env = self._make_env(plan.run.test_nepisode, "test")
        spec = test_env.spec
        say(f"device: {torch.cuda.get_device_name() if self.device.type == 'cuda' else 'CPU'}")
        self.controller, self.learner = build_learner(plan, spec, self.device)
        replay = plan["memory"].create(
            spec=spec, device=self.device, generator=generator(plan.run.seed, "replay")
        )
        say(replay.describe())
        self.trainer = plan["trainer"].create(
            make_runner=self._make_runner, learner=self.learner, replay=replay
        )
        self.test_runner = self._make_runner(plan.run.test_nepisode, "test", test_env)
        self._done: dict[str, int | None] = {"test": None, "log": 0, "checkpoint": 0, "model": None}

    def _make_env(self, episodes: int, purpose: str) -> MultiAgentEnv:
        """Games with randomness of their own for each purpose.

        Native environments play all episodes of a round side by side. Worker processes are `batch_size_run` in all,
        shared by all purposes, and play as many rounds as it takes.
        """
        component, seed = self.plan["env"], derive_seed(self.settings.seed, f"games/{purpose}")
        if self._worker_env is not None:
            return self._worker_env.twin(seed)
        if not issubclass(component.cls, WorkerEnv):
            return component.create(batch_size=episodes, seed=seed, device=self.device)
        games = self.plan["trainer"].settings.batch_size_run
        self._worker_env = component.create(batch_size=games, seed=seed, device=self.device)
        return self._worker_env

    def _make_runner(self, episodes: int, purpose: str, env: MultiAgentEnv | None = None) -> InProcessRunner:
        """A runner that plays `episodes` at a time, with games and randomness of its own."""
        explore = generator(self.settings.seed, f"exploration/{purpose}", self.device)
        env = env or self._make_env(episodes, purpose)
        return self.plan["runner"].create(
            env=env, controller=self.controller, generator=explore, episodes=episodes
        )

    def train(self, recorder: Recorder, folder: RunFolder, stop: Stop) -> None:
        """The run from where it stands to `t_max`, or to the end of the round in which a stop is requested."""
        self._report(recorder, folder)
        while not self.finished:
            self.trainer.iterate()
            self._tell_of_lost_games()
            recorder.tick(self.trainer.t_env, self.learner.updates, self.trainer.episode)
            self._report(recorder, folder)
            ends = self.finished or stop.requested
            if self._due("checkpoint", self.settings.checkpoint_interval, now=ends):
                self.save(recorder, folder.checkpoint)
            if stop.requested:
                return

    def _report(self, recorder: Recorder, folder: RunFolder) -> None:
        """Log, evaluate and keep the model, each when it is due; all of them at the end."""
        settings, metrics = self.settings, {}
        if self._due("log", settings.log_interval, now=self.finished):
            metrics |= self.trainer.metrics() | self._worker_metrics()
        if self._due("test", settings.test_interval, now=self.finished):
            metrics |= self.evaluate()
        if metrics:
            self._log(recorder, metrics)
        if settings.save_model and self._due("model", settings.save_model_interval, now=self.finished):
            save_model(self.learner.state_dict(), folder.models, self.trainer.t_env)

    @property
    def finished(self) -> bool:
        return self.settings.evaluate or self.trainer.t_env >= self.settings.t_max

    def evaluate_only(self, recorder: Recorder, folder: RunFolder) -> None:
        """One evaluation of what was loaded, kept to be watched if asked."""
        with self._replay(folder) as watch:
            self._log(recorder, self.evaluate(watch) | self._worker_metrics())

    def evaluate(self, watch: Callable[[], None] | None = None) -> dict[str, float]:
        """Metrics of `test_nepisode` greedy episodes of exactly the parameters of this moment."""
        statistics = EpisodeStatistics()
        statistics.add(self.test_runner.run(t_env=self.trainer.t_env, explore=False, watch=watch))
        return statistics.flush(prefix="test_")

    @contextlib.contextmanager
    def _replay(self, folder: RunFolder) -> Iterator[Callable[[], None] | None]:
        """What to call at every step so that the evaluation's first game can be watched afterwards, if asked."""
        settings = self.settings
        if not settings.save_replay:
            yield None
        elif self._worker_env is not None and self._worker_env.writes_replays:
            yield None
            for path in self._worker_env.save_replay(folder.replays):
                self._say(f"replay: {path}")
        else:
            path = folder.replays / f"{folder.name}.{settings.replay_format}"
            with Replay(self.test_runner.env, path, agent=settings.replay_agent) as replay:
                yield replay.watch
            self._say(f"replay: {path}")

    def _tell_of_lost_games(self) -> None:
        """One line on the console when games broke off since the last time."""
        env = self._worker_env
        if env is not None and (lost := int(env.metrics()["spoiled_episodes"])) > self._lost_games:
            self._lost_games = lost
            self._say(f"a game broke off and begins anew ({lost} so far): {env.last_failure}")

    def _worker_metrics(self) -> dict[str, float]:
        return {} if self._worker_env is None else self._worker_env.metrics()

    @property
    def environment_facts(self) -> dict[str, str | int]:
        """What the record should say about a game that is not ours, as its version."""
        return {} if self._worker_env is None else self._worker_env.facts()

    def close(self) -> None:
        """Stop what was started beside this process."""
        if self._worker_env is not None:
            self._worker_env.close()

    def _log(self, recorder: Recorder, metrics: dict[str, float]) -> None:
        recorder.log(self.trainer.t_env, self.learner.updates, self.trainer.episode, metrics)

    def _due(self, what: str, interval: int, *, now: bool = False) -> bool:
        """Whether `interval` environment steps have passed since this was last done; if so it counts as done."""
        t_env, before = self.trainer.t_env, self._done[what]
        due = before is None or t_env - before >= interval or (now and before < t_env)
        if due:
            self._done[what] = t_env
        return due

    def save(self, recorder: Recorder, path: Path) -> None:
        """A checkpoint from which the run goes on as if it had never stopped."""
        save_atomically({**self.state_dict(), "recorder": recorder.state_dict()}, path)

    def state_dict(self) -> dict[str, Any]:
        return {
            "trainer": self.trainer.state_dict(),
            "test_runner": self.test_runner.state_dict(),
            "done": dict(self._done),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.trainer.load_state_dict(state["trainer"])
        self.test_runner.load_state_dict(state["test_runner"])
        self._done = dict(state["done"])

    def load_model(self, state: dict[str, Any], step: int) -> None:
        """Start from a saved model: networks, targets and optimiser as they were at `step`."""
        # the count of collected episodes starts anew, and the targets follow by that count
        self.learner.load_state_dict({**state, "last_sync": 0})
        self.trainer.t_env = step


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


def choose_device(use_cuda: bool) -> torch.device:
    return torch.device("cuda" if use_cuda and torch.cuda.is_available() else "cpu")
