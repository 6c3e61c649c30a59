"""Q-learning through MNMPG's mixer, without its meta step."""

from typing import Any, ClassVar

import torch
from torch import nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.learners.packed import PackedEpisodes
from cohort.learners.value.hierarchy_mixing import HierarchyMixing, HierarchyMixingSettings
from cohort.learners.value.q_learner import QLearner, QLearnerSettings


class HierarchicalQLearnerSettings(HierarchyMixingSettings, QLearnerSettings):
    """Q-learning's and the hierarchy's."""


class HierarchicalQLearner(QLearner):
    """MNMPG's Q-learning (eq. 6) without its meta step: the paper's ablation QMIX_large.

    Departs from eq. 6 in: double Q-targets with target networks, as the authors' code.
    """

    Settings = HierarchicalQLearnerSettings

    Mixing: ClassVar[type[HierarchyMixing]] = HierarchyMixing

    mixing: HierarchyMixing

    def __init__(self, settings: HierarchicalQLearnerSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)
        self.keep(generator=self.mixing.generator)

    def make_mixing(
        self,
        settings: HierarchicalQLearnerSettings,
        mixer: nn.Module,
        *,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> HierarchyMixing:
        return self.Mixing(settings, policy=self.policy, mixer=mixer, spec=spec, device=device, seed=seed)

    def step(self, batch: Episodes) -> Metrics:
        return super().step(batch) | self.mixing.gradient_norm()

    def diagnostics(self, episodes: Episodes) -> Metrics:
        batch = PackedEpisodes.of(episodes, self.policy)
        with torch.no_grad():
            chosen, _ = self.utilities(batch)
        return self.mixing.diagnostics(chosen, batch)
