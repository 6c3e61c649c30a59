"""Heads for continuous actions."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.distributions import Point, SquashedGaussian
from cohort.envs.base import EnvSpec
from cohort.settings import Settings


class ContinuousHeadSettings(Settings):
    output_init_scale: float | None = Field(
        default=None,
        gt=0,
        description="factor on the first weights of the policy's last layer, whose biases then begin at 0, so that a "
        "small one has first mean actions near 0; null: the layer begins as PyTorch has it",
    )


class _ContinuousHead(nn.Module):
    """Actions in [-1, 1] in each dimension."""

    def __init__(self, settings: ContinuousHeadSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self._scale = settings.output_init_scale
        if not spec.action_dim:
            raise ValueError(
                f"head={self.name} moves in continuous actions, and this environment's are discrete: "
                "choose an algorithm for discrete actions, or another environment"
            )
        self.action_dim = spec.action_dim

    @torch.no_grad()
    def begin(self, network: nn.Module) -> None:
        """Set the first weights of a network's last layers, as `output_init_scale` says."""
        if self._scale is not None:
            for layer in network.last_layers:
                layer.weight.mul_(self._scale)
                layer.bias.zero_()


class DeterministicHead(_ContinuousHead):
    """a_i = tanh(outputs) (MADDPG, AdaMa)."""

    Settings = ContinuousHeadSettings
    policy_kind, name = "continuous actions", "deterministic"

    def __init__(self, settings: ContinuousHeadSettings, *, spec: EnvSpec) -> None:
        super().__init__(settings, spec=spec)
        self.output_dim = spec.action_dim

    def forward(self, outputs: Tensor) -> Tensor:
        return torch.tanh(outputs)

    def decide(self, values: Tensor, available_actions: Tensor) -> Point:
        """[..., U] in [-1, 1]; nothing is unavailable."""
        return Point(values)


class SquashedGaussianHeadSettings(ContinuousHeadSettings):
    log_std_min: float = Field(description="least log standard deviation of the actions before squashing")
    log_std_max: float = Field(description="largest log standard deviation of the actions before squashing")
    state_dependent_std: bool = Field(
        description="deviations are outputs of the network (soft actor-critic); False: one parameter for each dimension"
    )
    log_std_init: float = Field(
        description="where the log deviations begin that are parameters (state_dependent_std=False), or whose last "
        "layer begins at output_init_scale"
    )


class SquashedGaussianHead(_ContinuousHead):
    """a_i = tanh(u), u normal with the network's mean (arXiv:1812.05905)."""

    Settings = SquashedGaussianHeadSettings
    policy_kind, name = "action densities", "squashed_gaussian"

    def __init__(self, settings: SquashedGaussianHeadSettings, *, spec: EnvSpec) -> None:
        super().__init__(settings, spec=spec)
        self._log_std_init = settings.log_std_init
        self.limits = settings.log_std_min, settings.log_std_max
        self.output_dim = spec.action_dim * (2 if settings.state_dependent_std else 1)
        if not settings.state_dependent_std:
            own = torch.full((spec.n_agents, spec.action_dim), settings.log_std_init)
            self.log_std = nn.Parameter(own)

    @torch.no_grad()
    def begin(self, network: nn.Module) -> None:
        """Deviations that are outputs begin at `log_std_init` where `output_init_scale` is given."""
        super().begin(network)
        if self._scale is not None and self.output_dim == 2 * self.action_dim:
            for layer in network.last_layers:
                layer.bias[..., self.action_dim :] = self._log_std_init

    def forward(self, outputs: Tensor) -> Tensor:
        """[..., N, U or 2 U] -> mean and log deviation, [..., N, 2 U]."""
        if self.output_dim == 2 * self.action_dim:
            return outputs
        return torch.cat([outputs, self.log_std.expand_as(outputs)], dim=-1)

    def decide(self, values: Tensor, available_actions: Tensor) -> SquashedGaussian:
        """[..., 2 U]; nothing is unavailable."""
        mean, log_std = values.chunk(2, dim=-1)
        return SquashedGaussian(mean, log_std.clamp(*self.limits))
