"""The learning rates of a critic and of N actors: fixed, or AdaMa's."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.learners.actor_critic.learning_rates import adapted_critic_rate, turned_towards
from cohort.settings import Settings

NEAR = 0.2  # a contribution within this share of m counts as near m (the paper's m = 50 and its 40 to 60)


class Rates:
    """l_c, n_a = ||l_a|| and l_a, in double precision: they move by parts in a thousand per update."""

    def __init__(self, critic: float, actor_norm: float, n_agents: int, device: torch.device) -> None:
        """All actors begin, and without AdaMa stay, at actor_norm / sqrt(N)."""
        self.critic = torch.tensor(critic, dtype=torch.float64, device=device)
        self.actor_norm = torch.tensor(actor_norm, dtype=torch.float64, device=device)
        self.actors = (self.actor_norm / n_agents**0.5).repeat(n_agents)

    @torch.no_grad()
    def step_critic(self, parameters: Sequence[Tensor], gradient: Sequence[Tensor]) -> None:
        """phi <- phi - l_c g for the critic's parameters."""
        rate = self.critic.to(gradient[0].dtype)
        for parameter, each in zip(parameters, gradient, strict=True):
            parameter.addcmul_(each, rate, value=-1)

    @torch.no_grad()
    def step_actors(self, parameters: Sequence[Tensor], gradient: Sequence[Tensor]) -> None:
        """theta_i <- theta_i + l_i g_i for all actors i at once; parameters are stacked, [N, ...]."""
        rates = self.actors.to(gradient[0].dtype)
        for parameter, each in zip(parameters, gradient, strict=True):
            parameter.addcmul_(each, rates.view(-1, *[1] * (each.dim() - 1)))

    def metrics(self) -> Metrics:
        own = {f"actor_lr_agent_{i}": rate for i, rate in enumerate(self.actors.unbind())}
        return {"critic_lr": self.critic, "actor_lr_norm": self.actor_norm, **own}

    def state_dict(self) -> dict[str, Any]:
        return {"critic": self.critic, "actor_norm": self.actor_norm, "actors": self.actors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("critic", "actor_norm", "actors"):
            setattr(self, name, state[name].to(self.actors.device))


class AdaptiveRatesSettings(Settings):
    adama_alpha: float = Field(ge=0, le=1, description="alpha, weight of the old rates at each update")
    adama_m: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        description="m, the critic's contribution that would earn it all of l; auto: the mean of the first K updates"
    )
    adama_m_updates: int = Field(
        ge=1, description="K, updates that adama_m=auto measures before magnitudes adapt"
    )
    adama_clip: float = Field(
        ge=0, le=0.5, description="epsilon, the least share of the rate that critic and actors keep"
    )
    adapt_magnitude: bool = Field(description="equation 2 shares the rate out between critic and actors")
    adapt_direction: bool = Field(description="equation 1 or 3 shares the actors' rate out among them")
    allow_negative_rates: bool = Field(description="let actors lower Q where the second order says so")


class AdaptiveRates(Rates):
    """AdaMa: l_c and n_a share l by equation 2, the actors share n_a by equation 1 or 3."""

    def __init__(
        self,
        settings: AdaptiveRatesSettings,
        *,
        critic: float,
        actor_norm: float,
        n_agents: int,
        device: torch.device,
    ) -> None:
        """`critic` and `actor_norm` are where the rates begin; their sum is l."""
        super().__init__(critic, actor_norm, n_agents, device)
        self.settings = settings
        self.total = critic + actor_norm
        measured = settings.adama_m == "auto"
        self.m = torch.tensor(0.0 if measured else settings.adama_m, dtype=torch.float64, device=device)
        self._to_measure = settings.adama_m_updates if measured else 0

    def adapt_critic_rate(self, contribution: Tensor) -> Metrics:
        """Equation 2, when magnitudes adapt; `contribution` is D, a scalar."""
        contribution = contribution.double()
        if self._to_measure:
            self.m = self.m + contribution / self.settings.adama_m_updates
            self._to_measure -= 1
            if (
                self._to_measure
            ):  # m is the mean of all of them: part of a sum is no m, and nothing is near it
                return {"critic_contribution": contribution}
        elif self.settings.adapt_magnitude:
            self.critic = adapted_critic_rate(
                self.critic,
                contribution,
                alpha=self.settings.adama_alpha,
                total=self.total,
                scale=self.m,
                margin=self.settings.adama_clip,
            )
            self.actor_norm = self.total - self.critic
            if not self.settings.adapt_direction:  # else `turn` starts from the old vector, with its old norm
                self.actors = self.actors * (self.actor_norm / self.actors.norm())
        near = (contribution - self.m).abs() <= NEAR * self.m
        return {"critic_contribution": contribution, "critic_contribution_near_m": near, "adama_m": self.m}

    def adapt_actor_rates(self, gain: Tensor) -> Metrics:
        """Equation 1 or 3; `gain` is dQ / d l_a, [N]."""
        self.actors, negative = turned_towards(
            self.actors,
            gain.double(),
            self.actor_norm,
            alpha=self.settings.adama_alpha,
            allow_negative=self.settings.allow_negative_rates,
        )
        return {"negative_actor_lrs": negative}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "m": self.m, "to_measure": self._to_measure}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.m, self._to_measure = state["m"].to(self.m.device), state["to_measure"]
