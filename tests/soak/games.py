"""A game in worker processes that dies, hangs and lies in episodes that its seeds choose: the same in every session."""

import numpy as np

from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.game import GameStep, Limits, Recipe
from cohort.settings import Settings
from tests.envs.workers.games import HANG, KILL, LOSE, NOTHING, RAISE, Script, Walk

PATIENCE = 1.0  # seconds that an answer is waited for
FAULTS = {0: LOSE, 1: KILL, 2: RAISE, 3: HANG}  # by the episode's seed


class ShakenWalk(Walk):
    """`Walk` whatever the team does, but that one episode in twelve breaks off in its third step."""

    def __init__(self, settings: None) -> None:
        super().__init__(Script())

    def step(self, actions: np.ndarray) -> GameStep:
        fault = FAULTS.get(self.seed % 48, NOTHING) if self.t == 2 else NOTHING
        return super().step(np.full_like(actions, fault))


class ShakenWalksSettings(Settings):
    """There is nothing to say."""


class ShakenWalks(WorkerEnv):
    """B such games."""

    Settings = ShakenWalksSettings

    def __init__(
        self, settings: ShakenWalksSettings, *, batch_size: int, seed: int, device: str = "cpu"
    ) -> None:
        limits = Limits(step=PATIENCE, pause=0.0, spoiled_in_a_row=50)
        recipe = Recipe("tests.soak.games:ShakenWalk", None)
        super().__init__(recipe, batch_size=batch_size, seed=seed, device=device, limits=limits)
