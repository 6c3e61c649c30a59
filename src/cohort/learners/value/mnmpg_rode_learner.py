"""MNMPG on RODE: a hierarchy decides the credit of actions, and of roles too where it is told to."""

from typing import Any

import torch
from pydantic import Field
from torch import nn

from cohort.components.averages import Metrics
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.controllers.role_team_policy import RoleTeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.value.hierarchy_mixing import HierarchyMixing
from cohort.learners.value.meta_step import ExercisedMixing, MetaStep
from cohort.learners.value.mnmpg_learner import MNMPGLearnerSettings
from cohort.learners.value.q_learner import Mixing
from cohort.learners.value.rode_learner import ACTION, ROLE, RODELearner, RODELearnerSettings


class MNMPGRODELearnerSettings(MNMPGLearnerSettings, RODELearnerSettings):
    """Both methods'."""

    meta_role: bool = Field(
        description="the role level has a hierarchy of its own (MNMPG-2-RODE; False: MNMPG-1-RODE)"
    )


class MNMPGRODELearner(RODELearner):
    """MNMPG-1-RODE and MNMPG-2-RODE (Credit Assignment with Meta-Policy Gradient, section 4.3).

    RODE's mixers are replaced by MNMPG's, the action level's or both; one meta step teaches all hierarchies. The role
    level's z is drawn for every step of D0, and the one at a chunk's first step mixes that chunk's roles.
    """

    Settings = MNMPGRODELearnerSettings
    provides = (*RODELearner.provides, "meta_step")

    mixing: ExercisedMixing

    def __init__(self, settings: MNMPGRODELearnerSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)
        self.hierarchies: dict[str, HierarchyMixing] = {ACTION: self.mixing}
        if settings.meta_role:
            self.hierarchies[ROLE] = self.role_mixing
        self.meta = MetaStep(
            settings,
            list(self.hierarchies.values()),
            rmsprop=settings.rmsprop,
            grad_norm_clip=settings.grad_norm_clip,
        )
        generators = {f"{prefix}generator_z": each.generator for prefix, each in self.hierarchies.items()}
        self.keep(meta=self.meta, **generators)

    def make_action_mixing(
        self,
        settings: MNMPGRODELearnerSettings,
        mixer: nn.Module,
        *,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> Mixing:
        return ExercisedMixing(settings, policy=self.policy, mixer=mixer, spec=spec, device=device, seed=seed)

    def make_role_mixing(
        self,
        settings: MNMPGRODELearnerSettings,
        mixer: nn.Module,
        *,
        policy: RoleTeamPolicy,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> Mixing:
        own = {"policy": policy, "spec": spec, "device": device, "seed": seed}
        if not settings.meta_role:
            return super().make_role_mixing(settings, mixer, **own)
        return ExercisedMixing(settings, mixer=mixer, name=f"{ROLE}z", interval=settings.role_interval, **own)

    def step(self, batch: Episodes) -> Metrics:
        metrics = super().step(batch)
        self.meta.remember_q_gradient()
        for prefix, each in self.hierarchies.items():
            metrics |= {prefix + name: norm for name, norm in each.gradient_norm().items()}
        return metrics

    def exercise(self, episodes: Episodes, clock: Clock) -> Metrics:
        """As `MNMPGLearner.exercise`. Roles are never formed in an exercise move: D1 has D0's."""
        return self.step_at(episodes, clock)

    def diagnostics(self, episodes: Episodes) -> Metrics:
        metrics = super().diagnostics(episodes)
        spare = torch.Generator(self.generator.device).manual_seed(0)  # leaves the training stream alone
        with torch.no_grad():
            levels = self.levels(episodes, spare)
        for prefix, each in self.hierarchies.items():
            found = each.diagnostics(levels[prefix].chosen, levels[prefix].batch)
            metrics |= {prefix + name: value for name, value in found.items()}
        return metrics
