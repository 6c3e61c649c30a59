"""MNMPG: a meta policy gradient teaches the hierarchy which credit makes the team learn fast."""

from typing import Any

from cohort.components.averages import Metrics
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.learners.value.hierarchical_q_learner import HierarchicalQLearner
from cohort.learners.value.meta_step import ExercisedMixing, MetaMixingSettings, MetaStep
from cohort.learners.value.q_learner import QLearnerSettings


class MNMPGLearnerSettings(MetaMixingSettings, QLearnerSettings):
    """Q-learning's, the hierarchy's and the meta step's."""


class MNMPGLearner(HierarchicalQLearner):
    """MNMPG (Credit Assignment with Meta-Policy Gradient, Algorithm 1); `meta` is its meta step."""

    Settings = MNMPGLearnerSettings
    Mixing = ExercisedMixing
    provides = ("meta_step",)

    def __init__(self, settings: MNMPGLearnerSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)
        self.meta = MetaStep(
            settings, [self.mixing], rmsprop=settings.rmsprop, grad_norm_clip=settings.grad_norm_clip
        )
        self.keep(meta=self.meta)

    def step(self, batch: Episodes) -> Metrics:
        metrics = super().step(batch)
        self.meta.remember_q_gradient()
        return metrics

    def exercise(self, episodes: Episodes, clock: Clock) -> Metrics:
        """One step of the exercise move on all of D0: phi and zeta alone, unless `exercise_updates_theta`.

        It counts as an update, and no target follows it.
        """
        return self.step_at(episodes, clock)
