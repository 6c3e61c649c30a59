"""The B worker processes of an environment and its twins, and what happens when one of them fails."""

import os
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from cohort.envs.workers.block import Block, anonymous_file
from cohort.envs.workers.game import GameLost, GameSpec, Limits, Recipe
from cohort.envs.workers.process import WorkerFailed, WorkerProcess
from cohort.errors import UserError


class GameFailure(UserError):
    """A foreign game cannot be had; the message quotes its last error."""


class Pool:
    """Starts, asks, watches and replaces worker processes.

    Attributes:
        spec: what the games say of themselves.
        block: the shared memory; after `reset` and `step` it holds what they brought.
        game_restarts: how often a game had to be begun anew after a failure.
        spoiled_episodes: how many episodes broke off.
        last_error: why the last one did.
    """

    def __init__(self, recipe: Recipe, batch_size: int, limits: Limits) -> None:
        """Start `batch_size` workers. Raises `GameFailure` when one of them cannot build its game."""
        self._recipe, self._limits, self._batch_size = recipe, limits, batch_size
        self._memory = anonymous_file()
        self._workers: dict[int, WorkerProcess] = {}
        self._close = weakref.finalize(self, _end_all, self._workers, self._memory, limits.close, os.getpid())
        self._player: weakref.ref | None = None
        self.game_restarts = self.spoiled_episodes = 0
        try:
            self.spec = self._build_all()
        except BaseException:
            self._close()
            raise
        self.block = Block(self._memory, self.spec, batch_size)
        self._playing = np.zeros(batch_size, dtype=bool)
        self._at_start = np.ones(batch_size, dtype=bool)  # the next episode needs a new game
        self._spoiled_in_a_row = np.zeros(batch_size, dtype=int)
        self.last_error = ""

    def _build_all(self) -> GameSpec:
        for game in range(self._batch_size):
            self._workers[game] = self._start(game)
        since, specs = time.monotonic(), []
        for worker in self._workers.values():
            try:
                specs.append(GameSpec(**worker.answer(self._limits.start, since)))
            except WorkerFailed as error:
                raise GameFailure(f"{self._recipe.title} could not be built: {error}") from None
        return specs[0]

    def _start(self, game: int) -> WorkerProcess:
        return WorkerProcess(self._recipe, game, self._batch_size, self._memory)

    def reset(self, seeds: Sequence[int], player: object) -> None:
        """Begin an episode in every game; `player` is from now on the one who may step.

        Raises:
            GameFailure: a game could not be begun in `Limits.attempts` processes in a row, or its episodes broke
                off `Limits.spoiled_in_a_row` times in a row.
        """
        self._refuse_closed()
        self._player = None
        self._refuse_to_go_on_spoiling()
        waiting = dict(enumerate(seeds))
        for attempt in range(1, self._limits.attempts + 1):
            errors = self._begin(waiting)
            if not errors:
                break
            if attempt == self._limits.attempts:
                raise GameFailure(
                    f"{self._recipe.title} could not be started {attempt} times in a row: "
                    f"{next(iter(errors.values()))}"
                )
            waiting = {game: waiting[game] for game in errors}
            time.sleep(self._limits.pause)
        self._playing[:] = True
        self._player = weakref.ref(player)

    def _begin(self, seeds: Mapping[int, int]) -> dict[int, Exception]:
        """Begin an episode in some games at once, in new processes where there are none; the errors."""
        errors: dict[int, Exception] = {}
        for game, seed in seeds.items():
            worker = self._workers.get(game)
            if worker is not None and worker.owed:  # an exception came between a question and its answer
                self._drop(game)
            try:
                if game not in self._workers:
                    self._workers[game] = self._start(game)
                self._workers[game].ask("reset", seed)
            except OSError as error:  # the system has no more processes or memory
                errors[game] = error
        since = time.monotonic()
        for game in seeds.keys() - errors.keys():
            try:
                self._await_begin(self._workers[game], self._at_start[game], since)
                self._at_start[game] = False
            except (WorkerFailed, GameLost) as error:
                errors[game] = error
                self._drop(game)
        self.game_restarts += len(errors)
        return errors

    def _await_begin(self, worker: WorkerProcess, at_start: bool, since: float) -> None:
        if worker.owed > 1:
            worker.answer(self._limits.start, since)
            since = time.monotonic()
        worker.answer(self._limits.start if at_start else self._limits.reset, since)

    def step(self, actions: np.ndarray, player: object) -> None:
        """Advance the games that have not ended; `actions` is [B, N] int64, or [B, N, U] float32."""
        self._refuse_closed()
        if not self._plays(player):
            raise RuntimeError(
                "call reset() before step(): a new environment, or one that shares its workers played in between"
            )
        block, games = self.block, np.flatnonzero(self._playing).tolist()
        if actions.shape != block.actions.shape:
            raise ValueError(f"actions must be {block.actions.shape}, not {actions.shape}")
        playing, self._player = self._player, None  # an exception in what follows makes a reset necessary
        block.actions[:] = actions
        block.reward[:] = 0
        since = time.monotonic()
        for game in games:
            self._workers[game].ask_to_step()
        for game in games:
            try:
                self._workers[game].answer(self._limits.step, since)
            except (WorkerFailed, GameLost) as error:
                self._spoil(game, error)
        self._playing &= ~(block.terminated | block.truncated)
        self._spoiled_in_a_row[~self._playing & ~block.spoiled] = 0
        self._player = playing

    def _spoil(self, game: int, error: Exception) -> None:
        """Cut the episode of one game; what its worker has half written is wiped out."""
        self.game_restarts += 1
        self.spoiled_episodes += 1
        self._spoiled_in_a_row[game] += 1
        self.last_error = str(error)
        self._at_start[game] = True
        self._playing[game] = False
        if isinstance(error, WorkerFailed):
            self._drop(game)
        block = self.block
        for array in (block.obs, block.state, block.reward, block.terminated):
            array[game] = 0
        for array in (block.available_actions, block.truncated, block.spoiled):
            array[game] = True
        block.info[:, game] = 0

    def _drop(self, game: int) -> None:
        """End a worker; the next reset starts another one."""
        self._at_start[game] = True
        self._workers[game].end()
        del self._workers[game]

    def _refuse_to_go_on_spoiling(self) -> None:
        most = int(self._spoiled_in_a_row.max())
        if most >= self._limits.spoiled_in_a_row:
            raise GameFailure(
                f"{self._recipe.title} broke off {most} episodes in a row. The last time: {self.last_error}"
            )

    def _refuse_closed(self) -> None:
        if not self._close.alive:
            raise RuntimeError("this environment is closed")

    def release(self, player: object) -> None:
        """`player` has to reset before it can step again."""
        if self._plays(player):
            self._player = None

    def _plays(self, player: object) -> bool:
        return self._player is not None and self._player() is player

    def facts(self) -> dict[str, str | int]:
        """The games' facts; where they differ, all answers in a row."""
        merged: dict[str, list[str | int]] = {}
        for facts in self._ask(self._workers, "facts").values():
            for name, value in facts.items():
                seen = merged.setdefault(name, [])
                if value not in seen:
                    seen.append(value)
        return {
            name: seen[0] if len(seen) == 1 else ", ".join(map(str, seen)) for name, seen in merged.items()
        }

    def save_replay(self, folder: Path) -> list[Path]:
        """The files that the games have written into `folder`; a game that fails to has none."""
        folder.mkdir(parents=True, exist_ok=True)
        answers = self._ask(self._workers, "save_replay", str(folder.absolute()))
        return [Path(path) for path in answers.values() if path is not None]

    def ask(self, game: int, operation: str, *arguments: object) -> object:
        """One game's answer; None where it fails to, and then it is begun anew at the next reset."""
        return self._ask([game], operation, *arguments).get(game)

    def plays(self, game: int) -> bool:
        """Whether a game is within an episode."""
        return bool(self._playing[game])

    def _ask(self, games: Iterable[int], operation: str, *arguments: object) -> dict[int, object]:
        """The answers of those games that can answer; one that fails to is begun anew at the next reset."""
        self._refuse_closed()
        free = {game: self._workers[game] for game in games if game in self._workers}
        free = {game: worker for game, worker in free.items() if not worker.owed}
        for worker in free.values():
            worker.ask(operation, *arguments)
        since, answers = time.monotonic(), {}
        for game, worker in free.items():
            try:
                answers[game] = worker.answer(self._limits.reset, since)
            except (WorkerFailed, GameLost) as error:
                if self._playing[game]:
                    self._spoil(game, error)
                else:
                    self.game_restarts += 1
                    self.last_error = str(error)
                    self._drop(game)
        return answers

    def close(self) -> None:
        """End all processes. Harmless when repeated."""
        self._close()


def _end_all(workers: dict[int, WorkerProcess], memory: int, seconds: float, owner: int) -> None:
    """End every worker, politely at first. A forked copy of the process that owns them leaves them alone."""
    if os.getpid() != owner:
        return
    until = time.monotonic() + seconds
    parting = [worker for worker in workers.values() if worker.part()]
    for worker in parting:
        worker.await_end(until - time.monotonic())
    while workers:
        workers.popitem()[1].end()
    with suppress(OSError):
        os.close(memory)
