"""What runs in a worker process: one game, told what to do through a socket, seen through shared memory.

Messages in: `STEP`, or a pickled (operation, *arguments). Messages out: `DONE`, or a pickled (kind, value) with the
kinds `VALUE`, `LOST`, `REFUSED` and `RAISED`.
"""

import contextlib
import importlib
import os
import pickle
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from cohort.envs.workers.block import Block
from cohort.envs.workers.game import Game, GameLost, GameObservation
from cohort.errors import UserError

STEP, DONE = b"s", b"d"
VALUE, LOST, REFUSED, RAISED = "value", "lost", "refused", "raised"
_LONGEST = 4000  # characters of an error's text; short messages are written in one piece


def main() -> None:
    """Serve until told to close, or until the main process has gone."""
    socket, memory = (int(word) for word in sys.argv[1:3])
    os.set_inheritable(socket, False)  # else what the game starts would keep the stream open
    os.set_inheritable(memory, False)
    # a Ctrl-C is the main process's to answer; what the game starts inherits this
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(socket)
    worker = _Worker(memory)
    # the end of the stream: the main process was killed, and nobody is there to be told anything
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while worker.serving:
            connection.send_bytes(worker.answer(connection.recv_bytes()))


class _Worker:
    """The game and its rows of the shared memory."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.serving = True
        self.game: Game | None = None
        self.block: Block | None = None

    def answer(self, message: bytes) -> bytes:
        """Do what `message` says."""
        try:
            if message == STEP:
                self._step()
                return DONE
            operation, *arguments = pickle.loads(message)
            return pickle.dumps((VALUE, getattr(self, operation)(*arguments)))
        except GameLost as error:
            return pickle.dumps((LOST, str(error)[-_LONGEST:]))
        except UserError as error:
            return pickle.dumps((REFUSED, str(error)[-_LONGEST:]))
        except Exception:
            return pickle.dumps((RAISED, traceback.format_exc()[-_LONGEST:]))

    def build(self, factory: str, settings: bytes, index: int, batch_size: int) -> dict[str, Any]:
        """Build the game; its spec."""
        module, _, name = factory.partition(":")
        self.game = getattr(importlib.import_module(module), name)(pickle.loads(settings))
        self.index, self.batch_size = index, batch_size
        return vars(self.game.spec)

    def reset(self, seed: int) -> None:
        if self.block is None:  # made only now: the main process had to learn the sizes first
            self.block = Block(self.memory, self.game.spec, self.batch_size)
        self.steps = 0
        self._show(self.game.reset(seed))
        block, row = self.block, self.index
        block.reward[row] = block.terminated[row] = block.truncated[row] = block.spoiled[row] = 0
        block.info[:, row] = 0

    def _step(self) -> None:
        block, row = self.block, self.index
        played = self.game.step(block.actions[row].copy())
        self.steps += 1
        self._show(played.sight)
        self._refuse_poison("reward", np.atleast_1d(played.reward))
        block.reward[row] = played.reward
        block.terminated[row] = played.terminated
        block.truncated[row] = played.truncated and not played.terminated
        for place, key in enumerate(self.game.spec.info_keys):
            block.info[place, row] = played.info[key]
            self._refuse_poison(f"info {key}", block.info[place, row : row + 1])

    def _show(self, sight: GameObservation) -> None:
        block, row = self.block, self.index
        for array, seen in zip((block.obs, block.state, block.available_actions), sight, strict=True):
            seen = np.asarray(seen)
            if seen.shape != array.shape[1:]:
                raise ValueError(
                    f"the game shows an array {seen.shape} where its spec says {array.shape[1:]}"
                )
            array[row] = seen
        self._refuse_poison("observation", block.obs[row])
        self._refuse_poison("state", block.state[row])

    def _refuse_poison(self, what: str, values: np.ndarray) -> None:
        """What is not finite would be learned from, and the learning rate be blamed for what follows."""
        if not np.isfinite(values).all():
            raise GameLost(
                f"its {what} at step {self.steps} is not finite: {values[~np.isfinite(values)].flat[0]}"
            )

    def facts(self) -> dict[str, str | int]:
        return self.game.facts()

    def save_replay(self, folder: str) -> str | None:
        return self.game.save_replay(folder, f"game{self.index}")

    def film(self) -> float | None:
        return self.game.film()

    def picture(self) -> np.ndarray:
        return self.game.picture()

    def close(self) -> None:
        self.serving = False
        if self.game is not None:
            self.game.close()
