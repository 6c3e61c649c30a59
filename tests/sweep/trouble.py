"""A learner to which things happen when the test says so, by files in the folder that an environment variable names."""

import os
import time
from pathlib import Path

from cohort.learners.value.q_learner import QLearner

VARIABLE = "COHORT_TEST_TROUBLE"


class TroubledLearner(QLearner):
    """Raises in its loss while `<mixer>-<episode limit>-<seed>.fails` exists, and is slow while `... .slow` does."""

    def __init__(self, settings, *, spec, seed, **parts):
        super().__init__(settings, spec=spec, seed=seed, **parts)
        mixer = type(self.mixing.networks["mixer"]).__name__
        self._mine = Path(os.environ[VARIABLE]) / f"{mixer}-{spec.episode_limit}-{seed}"

    def loss(self, episodes):
        if self._mine.with_suffix(".fails").exists():
            raise RuntimeError("made to fail")
        if self._mine.with_suffix(".slow").exists():
            time.sleep(0.5)
        return super().loss(episodes)
