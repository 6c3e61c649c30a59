"""All games of a run: made for each purpose, some of them in processes that all purposes share."""

import contextlib
from collections.abc import Callable, Iterator

import torch

from cohort.components.seeding import derive_seed, generator
from cohort.configuration.plan import Plan
from cohort.controllers.shared import SharedController
from cohort.envs.base import MultiAgentEnv
from cohort.envs.workers.env import WorkerEnv
from cohort.recording.folder import RunFolder
from cohort.recording.replay import Replay
from cohort.runners.in_process import InProcessRunner


class EnvFactory:
    """Environments and runners with randomness of their own for each purpose.

    Native environments play all episodes of a round side by side. Worker processes are `batch_size_run` in all, shared
    by all purposes, and play as many rounds as it takes.
    """

    def __init__(self, plan: Plan, device: torch.device, say: Callable[[str], None]) -> None:
        """Make the games of evaluation, whose sizes are everybody's: `spec`."""
        self.plan, self.device, self._say = plan, device, say
        self._worker_env: WorkerEnv | None = None
        self._lost = 0  # games that the user was told of
        self.test_env = self._make(plan.run.test_nepisode, "test")
        self.spec = self.test_env.spec

    def _make(self, episodes: int, purpose: str) -> MultiAgentEnv:
        component, seed = self.plan["env"], derive_seed(self.plan.run.seed, f"games/{purpose}")
        if self._worker_env is not None:
            return self._worker_env.sharing_workers(seed)
        if not issubclass(component.cls, WorkerEnv):
            return component.create(batch_size=episodes, seed=seed, device=self.device)
        games = self.plan["trainer"].settings.batch_size_run
        self._worker_env = component.create(batch_size=games, seed=seed, device=self.device)
        return self._worker_env

    def test_runner(self, controller: SharedController) -> InProcessRunner:
        """A runner that plays the `test_nepisode` episodes of an evaluation."""
        return self._runner(self.test_env, controller, self.plan.run.test_nepisode, "test")

    def runner(self, controller: SharedController, episodes: int, purpose: str) -> InProcessRunner:
        """A runner that plays `episodes` at a time, in games of its own."""
        return self._runner(self._make(episodes, purpose), controller, episodes, purpose)

    def _runner(
        self, env: MultiAgentEnv, controller: SharedController, episodes: int, purpose: str
    ) -> InProcessRunner:
        explore = generator(self.plan.run.seed, f"exploration/{purpose}", self.device)
        return self.plan["runner"].create(
            env=env, controller=controller, generator=explore, episodes=episodes
        )

    @contextlib.contextmanager
    def filmed(self, folder: RunFolder) -> Iterator[Callable[[], None] | None]:
        """What to call at every step so that the evaluation's first game can be watched afterwards."""
        run = self.plan.run
        if self._worker_env is not None and self._worker_env.writes_replays:
            yield None
            for path in self._worker_env.save_replay(folder.replays):
                self._say(f"replay: {path}")
        else:
            path = folder.replays / f"{folder.name}.{run.replay_format}"
            with Replay(self.test_env, path, agent=run.replay_agent) as replay:
                yield replay.watch
            self._say(f"replay: {path}")

    def report_crashes(self) -> None:
        """One line on the console when games broke off since the last time."""
        env = self._worker_env
        if env is not None and (lost := int(env.metrics()["spoiled_episodes"])) > self._lost:
            self._lost = lost
            self._say(f"a game broke off and begins anew ({lost} so far): {env.last_failure}")

    def metrics(self) -> dict[str, float]:
        return {} if self._worker_env is None else self._worker_env.metrics()

    @property
    def facts(self) -> dict[str, str | int]:
        """What the record should say about a game that is not ours, as its version."""
        return {} if self._worker_env is None else self._worker_env.facts()

    def close(self) -> None:
        """Stop the processes."""
        if self._worker_env is not None:
            self._worker_env.close()
