"""All games of a run: made for each purpose, some of them in processes that all purposes share."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from cohort.components.seeding import derive_seed, generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import MultiAgentEnv
from cohort.envs.workers.env import WorkerEnv
from cohort.recording.folder import RunFolder
from cohort.recording.replay import Replay
from cohort.runners.in_process import InProcessRunner


class Film(NamedTuple):
    """How an evaluation's first game is kept to be watched."""

    format: str  # mp4 or gif
    agent: int | None  # whose sight it shows


class EnvFactory:
    """Environments and runners with randomness of their own for each purpose.

    Native environments play all episodes of a round side by side. Worker processes are `worker_games` in all, shared
    by all purposes, and play as many rounds as it takes.
    """

    def __init__(
        self,
        make_env: Callable[..., MultiAgentEnv],
        make_runner: Callable[..., InProcessRunner],
        *,
        seed: int,
        test_episodes: int,
        worker_games: int | None,
        film: Film,
        device: torch.device,
        say: Callable[[str], None],
    ) -> None:
        """Make the games of evaluation, whose sizes are everybody's: `spec`.

        Args:
            make_env: `make_env(batch_size=, seed=, device=)`.
            make_runner: `make_runner(env=, policy=, generator=, episodes=)`.
            seed: the run's.
            test_episodes: episodes of each evaluation.
            worker_games: how many worker processes there are; None where the environment is native.
            film: how an evaluation's first game is kept.
            device: where native games are played, and the policy's.
            say: prints one line for the user.
        """
        self._make_env, self._make_runner, self._seed, self._say = make_env, make_runner, seed, say
        self._worker_games, self._film, self._device = worker_games, film, device
        self._test_episodes = test_episodes
        self._worker_env: WorkerEnv | None = None
        self._lost = 0  # games that the user was told of
        self.test_env = self._make(test_episodes, "test")
        self.spec = self.test_env.spec

    def _make(self, episodes: int, purpose: str) -> MultiAgentEnv:
        seed = derive_seed(self._seed, f"games/{purpose}")
        if self._worker_env is not None:
            return self._worker_env.sharing_workers(seed)
        env = self._make_env(batch_size=self._worker_games or episodes, seed=seed, device=self._device)
        if self._worker_games:
            self._worker_env = env
        return env

    def test_runner(self, policy: TeamPolicy) -> InProcessRunner:
        """A runner that plays the episodes of an evaluation."""
        return self._runner(self.test_env, policy, self._test_episodes, "test")

    def runner(self, policy: TeamPolicy, episodes: int, purpose: str) -> InProcessRunner:
        """A runner that plays `episodes` at a time, in games of its own."""
        return self._runner(self._make(episodes, purpose), policy, episodes, purpose)

    def _runner(self, env: MultiAgentEnv, policy: TeamPolicy, episodes: int, purpose: str) -> InProcessRunner:
        explore = generator(self._seed, f"exploration/{purpose}", self._device)
        return self._make_runner(env=env, policy=policy, generator=explore, episodes=episodes)

    @contextlib.contextmanager
    def filmed(self, folder: RunFolder) -> Iterator[Callable[[], None] | None]:
        """What to call at every step so that the evaluation's first game can be watched afterwards."""
        if self._worker_env is not None and self._worker_env.writes_replays:
            yield None
            for path in self._worker_env.save_replay(folder.replays):
                self._say(f"replay: {path}")
        else:
            path = folder.replays / f"{folder.name}.{self._film.format}"
            with Replay(self.test_env, path, agent=self._film.agent) as replay:
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
