"""Heads for continuous actions."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.distributions import Point, SquashedGaussian
from cohort.envs.base import EnvSpec
from cohort.settings import NoSettings, Settings


class _ContinuousHead(nn.Module):
    """Actions in [-1, 1] in each dimension."""

    def __init__(self, *, spec: EnvSpec) -> None:
        super().__init__()
        if not spec.action_dim:
            raise ValueError(
                f"head={self.name} moves in continuous actions, and this environment's are discrete: "
                "choose an algorithm for discrete actions, or another environment"
            )
        self.action_dim = spec.action_dim


class DeterministicHead(_ContinuousHead):
    """a_i = tanh(outputs) (MADDPG, AdaMa)."""

    Settings = NoSettings
    policy_kind, name = "continuous actions", "deterministic"

    def __init__(self, settings: NoSettings, *, spec: EnvSpec) -> None:
        super().__init__(spec=spec)
        self.output_dim = spec.action_dim

    def forward(self, outputs: Tensor) -> Tensor:
        return torch.tanh(outputs)

    def decide(self, values: Tensor, available_actions: Tensor) -> Point:
        """[..., U] in [-1, 1]; nothing is unavailable."""
        return Point(values)


class SquashedGaussianHeadSettings(Settings):
    log_std_min: float = Field(description="least log standard deviation of the actions before squashing")
    log_std_max: float = Field(description="largest log standard deviation of the actions before squashing")
    state_dependent_std: bool = Field(
        description="deviations are outputs of the network (soft actor-critic); False: one parameter for each dimension"
    )
    log_std_init: float = Field(
        description="where the log deviations begin that are parameters (state_dependent_std=False)"
    )


class SquashedGaussianHead(_ContinuousHead):
    """a_i = tanh(u), u normal with the network's mean (arXiv:1812.05905)."""

    Settings = SquashedGaussianHeadSettings
    policy_kind, name = "action densities", "squashed_gaussian"

    def __init__(self, settings: SquashedGaussianHeadSettings, *, spec: EnvSpec) -> None:
        super().__init__(spec=spec)
        self.limits = settings.log_std_min, settings.log_std_max
        self.output_dim = spec.action_dim * (2 if settings.state_dependent_std else 1)
        if not settings.state_dependent_std:
            own = torch.full((spec.n_agents, spec.action_dim), settings.log_std_init)
            self.log_std = nn.Parameter(own)

    def forward(self, outputs: Tensor) -> Tensor:
        """[..., N, U or 2 U] -> mean and log deviation, [..., N, 2 U]."""
        if self.output_dim == 2 * self.action_dim:
            return outputs
        return torch.cat([outputs, self.log_std.expand_as(outputs)], dim=-1)

    def decide(self, values: Tensor, available_actions: Tensor) -> SquashedGaussian:
        """[..., 2 U]; nothing is unavailable."""
        mean, log_std = values.chunk(2, dim=-1)
        return SquashedGaussian(mean, log_std.clamp(*self.limits))
