"""The sizes delta_i of the agents' trust regions: fixed as in MAMD, or learned as in MAMT (ICLR 2022, equation 8)."""

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from cohort.settings import Settings


class TrustRegionSettings(Settings):
    trust_region_budget: float = Field(
        gt=0, description="delta, what the sizes of all agents' trust regions may be together"
    )
    trust_region: float | tuple[float, ...] | None = Field(
        description="delta_i, the size of each agent's trust region, where MAMT begins: one number, or one for each "
        "agent as [50, 50]; null: trust_region_budget / N. Large is a weak constraint"
    )

    @model_validator(mode="after")
    def sizes_are_positive(self) -> Self:
        given = self.trust_region if isinstance(self.trust_region, tuple) else (self.trust_region,)
        if any(each is not None and each <= 0 for each in given):
            raise ValueError(f"trust_region ({self.trust_region}) must be greater than 0 for every agent")
        return self

    def sizes(self, n_agents: int) -> list[float]:
        """delta_1 ... delta_N.

        Raises:
            ValueError: there are not as many as agents.
        """
        given = self.trust_region
        if given is None:
            return [self.trust_region_budget / n_agents] * n_agents
        if not isinstance(given, tuple):
            return [given] * n_agents
        if len(given) != n_agents:
            raise ValueError(
                f"trust_region ({list(given)}) has {len(given)} sizes, and there are {n_agents} agents: "
                "give one for each, or one number for all"
            )
        return list(given)


class LearnedTrustRegionSettings(TrustRegionSettings):
    trust_region_lr: float = Field(ge=0, description="learning rate of the trust regions' Adam")
    trust_region_grad_norm_clip: float = Field(
        gt=0, description="largest norm of the gradient of all trust regions"
    )
    trust_region_clip: tuple[float, float] = Field(
        description="smallest and largest size of a trust region; the budget's share of an agent is clipped too"
    )
    value_term: Literal["penalty", "meta", "none"] = Field(
        description="how the value depends on the sizes. penalty: as the actors' objective does, by KL_i / delta_i^2; "
        "meta: through the actors' next step; none: not at all"
    )
    n_slow: int = Field(ge=1, description="steps of the trust regions in each update")

    @model_validator(mode="after")
    def sizes_can_lie_between_the_bounds(self) -> Self:
        low, high = self.trust_region_clip
        if not 0 < low < high:
            raise ValueError(
                f"trust_region_clip ({[low, high]}) must be two numbers above 0, the smaller first, as [0.01, 100]"
            )
        given = self.trust_region if isinstance(self.trust_region, tuple) else (self.trust_region,)
        if any(each is not None and not low <= each <= high for each in given):
            raise ValueError(
                f"trust_region ({self.trust_region}) must lie within trust_region_clip ({[low, high]})"
            )
        return self


class LearnedTrustRegions(nn.Module):
    """delta_1 ... delta_N, which climb F and are clipped after every step."""

    def __init__(self, settings: LearnedTrustRegionSettings, *, n_agents: int) -> None:
        """Begin where the settings say."""
        super().__init__()
        self.budget, (self.low, self.high) = settings.trust_region_budget, settings.trust_region_clip
        self.sizes = nn.Parameter(torch.tensor(settings.sizes(n_agents)).clamp(self.low, self.high))

    def objective(self, value_gradient: Tensor, divergence: Tensor) -> Tensor:
        """F, up to a constant, a scalar to climb: sum_i delta_i V'_i - sum_i KLhat_i - ReLU(sum_i delta_i - delta).

        Args:
            value_gradient: dV / d delta_i, constant: [N].
            divergence: KLhat of each sample and agent, which depends on the sizes: [R, N].
        """
        excess = torch.relu(self.sizes.sum() - self.budget)
        return (self.sizes * value_gradient).sum() - divergence.sum(dim=1).mean() - excess

    @torch.no_grad()
    def clip(self) -> None:
        self.sizes.clamp_(self.low, self.high)

    @property
    def within_budget(self) -> Tensor:
        """1 where the sizes do not exceed the budget together, else 0."""
        return (self.sizes.detach().sum() <= self.budget).float()
