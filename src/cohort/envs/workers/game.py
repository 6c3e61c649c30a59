"""One game inside a worker process: plain NumPy, so that workers start fast and never import torch."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cohort.envs.spec import EnvSpec

GameSpec = EnvSpec  # one game states the same facts


class GameObservation(NamedTuple):
    """What can be seen of one game at one moment."""

    obs: np.ndarray  # [N, O] float32, or uint8 where they are pictures
    state: np.ndarray  # [S] float32, or uint8
    available_actions: np.ndarray  # [N, A] bool, at least one per agent where A is not 0


class GameStep(NamedTuple):
    """What one step of one game brought."""

    sight: GameObservation
    reward: float | np.ndarray  # one number, or [N] where agents have rewards of their own
    terminated: bool
    truncated: bool = False
    info: dict[str, float] = {}  # noqa: RUF012  one entry for each of GameSpec.info_keys


class GameLost(Exception):
    """Raised by `Game.reset` or `Game.step`: this episode is spoiled, the next `reset` begins anew."""


class Game:
    """One game. Built in its worker as `Class(settings)` from "module:Class" and picklable settings.

    Any exception but `GameLost` ends the worker; another one is then started and builds another game.
    """

    spec: GameSpec

    def reset(self, seed: int) -> GameObservation:
        """Begin an episode. `seed`, 0 to 2**63 - 1, is another one for every game and episode."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> GameStep:
        """Advance by one step; `actions` is [N] int64, or [N, U] float32 where they are continuous."""
        raise NotImplementedError

    def facts(self) -> dict[str, str | int]:
        """What a run's record should say of this game, such as its version."""
        return {}

    def save_replay(self, folder: str, name: str) -> str | None:
        """Write what was played into a file in `folder` and return its path; None where there is nothing."""
        return None

    def film(self) -> float | None:
        """Get ready to be drawn from the next `reset` on; pictures of a second. None: it cannot be drawn."""
        return None

    def picture(self) -> np.ndarray:
        """What the game looks like now, [H, W, 3] uint8; asked for only after `film`."""
        raise NotImplementedError

    def close(self) -> None:
        """End what this game has started."""


@dataclass(frozen=True)
class Recipe:
    """How a worker process is started and what it builds."""

    factory: str  # "module:Class" of a `Game`
    settings: Any  # what the class is given; it travels by pickle
    title: str = "the game"  # how messages call it
    environment: dict[str, str] = field(default_factory=dict)  # variables set before the interpreter starts
    show_output: bool = False  # print what the game prints; otherwise errors quote its end


@dataclass(frozen=True)
class Limits:
    """How long to wait for a worker, in seconds, and how often to try again."""

    start: float = 60.0  # to build the game, and again to begin its first episode
    reset: float = 60.0  # to begin another episode
    step: float = 60.0
    close: float = 10.0  # to end by itself
    attempts: int = 3  # how often in a row a game may fail to begin
    pause: float = 1.0  # before another attempt
    spoiled_in_a_row: int = 5  # episodes of one game that may break off without one that ends
