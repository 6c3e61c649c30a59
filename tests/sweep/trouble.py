"""A learner to which things happen when the test says so, by files in the folder that an environment variable names."""

import os
import time
from pathlib import Path

from cohort.learners.value.q_learner import QLearner

VARIABLE = "COHORT_TEST_TROUBLE"


class TroubledLearner(QLearner):
    """Raises in its loss while `<mixer>-<episode limit>-<seed>.fails` exists, and is slow while `... .slow` does."""

    def __init__(self, settings, *, spec, mixer, seed, **parts):
        super().__init__(settings, spec=spec, mixer=mixer, seed=seed, **parts)
        self._mine = Path(os.environ[VARIABLE]) / f"{type(mixer).__name__}-{spec.episode_limit}-{seed}"

    def loss(self, episodes):
        if self._mine.with_suffix(".fails").exists():
            raise RuntimeError("made to fail")
        if self._mine.with_suffix(".slow").exists():
            time.sleep(0.5)
        return super().loss(episodes)
