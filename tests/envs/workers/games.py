"""Small games for the tests of `WorkerEnv`; what goes wrong is chosen by agent 0's action."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohort.envs.workers.game import Game, GameLost, GameObservation, GameSpec, GameStep
from cohort.errors import UserError

NOTHING, LEFT, RIGHT, LOSE, KILL, RAISE, HANG, EXIT, SLOW, STUBBORN = range(10)
POISONS = ("observation", "state", "reward", "info won")
AVAILABLE = [True] * 3 + [False] * 7  # nobody goes wrong by chance
FAULTS = {"lost": LOSE, "killed": KILL, "raises": RAISE, "hangs": HANG, "exits": EXIT}


@dataclass(frozen=True)
class Script:
    """How a `Walk` behaves.

    Attributes:
        limit: steps of an episode.
        children: processes that every game starts and leaves alone; they inherit whatever can be inherited.
        refusals: a file with the number of resets that are still to fail.
        truncates: the limit truncates instead of terminating.
        broken: cannot be built, shows arrays of another shape, or refuses with a sentence for the user.
        poison: what is NaN in the second step of every episode.
    """

    limit: int = 5
    children: int = 0
    refusals: Path | None = None
    truncates: bool = False
    broken: str = ""
    poison: str = ""


class Walk(Game):
    """Two agents push a random walk that begins at a place that follows from the seed.

    The state is the seed in four parts of 16 bits, so that tests can read it.
    """

    def __init__(self, script: Script) -> None:
        if script.broken == "build":
            raise RuntimeError("there is no such game")
        if script.broken == "refused":
            raise UserError("type env_args.time_limit=<steps>")
        self.script = script
        self.spec = GameSpec(2, 10, 3, 4, script.limit, ("won", "steps"))
        self.children = [subprocess.Popen(["sleep", "600"], close_fds=False) for _ in range(script.children)]

    def reset(self, seed: int) -> GameObservation:
        self._refuse()
        self.seed, self.t = seed, 0
        self.random = np.random.default_rng(seed)
        self.place = self.random.normal()
        return self._sight()

    def _refuse(self) -> None:
        file = self.script.refusals
        if file is None or not file.exists():
            return
        left = int(file.read_text())
        file.write_text(str(left - 1))
        if left > 0:
            raise GameLost("not today") if left % 2 else OSError("no game to be had")

    def step(self, actions: np.ndarray) -> GameStep:
        self._go_wrong(int(actions[0]))
        self.t += 1
        before, self.place = (
            self.place,
            self.place + self.random.normal() + (actions == RIGHT).sum() - (actions == LEFT).sum(),
        )
        over = self.t >= self.script.limit
        info = {"won": self.place > 0, "steps": self.t}
        sight, reward, poison = self._sight(), self.place - before, self.script.poison if self.t == 2 else ""
        if poison in ("observation", "state"):
            sight[POISONS.index(poison)].flat[1] = np.nan
        elif poison:
            reward, info["won"] = (np.inf, True) if poison == "reward" else (reward, np.nan)
        return GameStep(sight, reward, over and not self.script.truncates, over, info)

    def _go_wrong(self, how: int) -> None:
        if how == LOSE:
            raise GameLost("the other side hung up")
        if how == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == RAISE:
            raise ZeroDivisionError("a mistake in the game")
        elif how == EXIT:
            print("last words", flush=True)
            os._exit(3)
        elif how == SLOW:
            time.sleep(0.4)
        elif how in (HANG, STUBBORN):
            if how == STUBBORN:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(1)

    def _sight(self) -> GameObservation:
        obs = np.array([[agent, self.t, self.place] for agent in range(2)], dtype=np.float32)
        state = np.array([(self.seed >> shift) & 0xFFFF for shift in (0, 16, 32, 48)], dtype=np.float32)
        if self.script.broken == "shape":
            obs = obs[:, :2]
        return GameObservation(obs, state, np.array([AVAILABLE, AVAILABLE]))

    def facts(self) -> dict[str, str | int]:
        return {
            "version": 7,
            "pids": " ".join(map(str, [os.getpid(), os.getpgid(0), *(child.pid for child in self.children)])),
            "torch": str("torch" in sys.modules),
            "threads": os.environ.get("OMP_NUM_THREADS", ""),
            "colour": os.environ.get("COLOUR", ""),
            "tmpdir": os.environ["TMPDIR"],
        }

    def save_replay(self, folder: str, name: str) -> str:
        path = Path(folder) / f"{name}.txt"
        path.write_text(f"{self.place}")
        return str(path)

    def close(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()


class Push(Game):
    """Three agents with continuous actions and rewards of their own."""

    def __init__(self, settings: None) -> None:
        self.spec = GameSpec(3, 0, 2, 1, 4, action_dim=2, common_reward=False)

    def reset(self, seed: int) -> GameObservation:
        self.t, self.at = 0, np.zeros((3, 2), dtype=np.float32)
        return self._sight()

    def step(self, actions: np.ndarray) -> GameStep:
        self.t, self.at = self.t + 1, self.at + actions
        return GameStep(self._sight(), self.at.sum(1), False, self.t == 4)

    def _sight(self) -> GameObservation:
        return GameObservation(self.at, np.array([self.t]), np.zeros((3, 0), dtype=bool))
