"""alpha_1 ... alpha_N, what an agent's entropy is worth in rewards."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.settings import Settings


class TemperatureSettings(Settings):
    log_alpha_init: float = Field(description="where the logarithms of the temperatures begin")
    alpha_min: float = Field(ge=0, description="smallest temperature that losses read")
    alpha_max: float = Field(gt=0, description="largest temperature that losses read")
    alpha_include_dead: bool = Field(
        description="temperatures follow agents without a choice too, as dead ones (the authors' code)"
    )


class Temperatures(nn.Module):
    """One temperature for each agent, learned by its logarithm."""

    def __init__(self, settings: TemperatureSettings, *, n_agents: int) -> None:
        super().__init__()
        self.limits = settings.alpha_min, settings.alpha_max
        self.log_alpha = nn.Parameter(torch.full((n_agents,), settings.log_alpha_init))

    @property
    def values(self) -> Tensor:
        """[N], constant."""
        return self.log_alpha.detach().exp().clamp(*self.limits)

    def loss(self, entropy: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """Of log alpha, which falls where entropy is above its target (equation 13): [R, N], [N], [R, N] bool.

        The mean over rows and agents that count; 0 where none does.
        """
        excess = torch.where(counted, (entropy - target).detach(), 0.0)
        return (self.log_alpha * excess).sum() / counted.sum().clamp(min=1)
