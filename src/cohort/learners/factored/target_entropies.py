"""How much entropy each agent's policy is to have: ADER's share of it, learned from what agents contribute."""

import math
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from cohort.envs.base import EnvSpec
from cohort.settings import Settings

SMALLEST_GAIN = 1e-5  # what is added to a gain that others are divided by

Norm = Literal["max", "sum", "zscore", "none"]


class TargetEntropySettings(Settings):
    target_entropies: Literal["adaptive", "uniform", "given"] = Field(
        description="adaptive: shares of H_0 follow the metric (ADER). uniform: H_0 / N each (SER-MARL). given: "
        "given_target_entropies, for ever (SER-DCE)"
    )
    given_target_entropies: tuple[float, ...] = Field(
        description="with target_entropies=given: one number for each agent, as [-0.7, -1.3]"
    )
    k_ratio: float = Field(
        ge=0,
        le=1,
        description="with discrete actions: H_0 as a share of N log A, the entropy of equal chances",
    )
    entropy_per_dim: float = Field(
        description="with continuous actions: H_0 is this times N U, the dimensions of the joint action"
    )
    metric: Literal["paper", "cr"] = Field(
        description="what an agent contributes: dV/dV_i, or the camera-ready version's -dV/dV_i dV_i/dH_i"
    )
    norm: Norm = Field(description="what the metric is divided by, over the agents, before the softmax")
    tau_b: float = Field(gt=0, description="temperature of the softmax that makes shares of the metric")
    beta_avg: Literal["softmax_of_mean", "mean_of_softmax"] = Field(
        description="the metric is averaged over the batch, or the shares that it gives are (the authors' code)"
    )
    reverse_metric: bool = Field(description="the agent that contributes most gets the most entropy")
    ema_form: Literal["code", "paper", "none"] = Field(
        description="ema_xi is the weight of the old shares (the authors' code) or of the new (equation 15); none: the "
        "shares of this update alone"
    )
    ema_xi: float = Field(ge=0, le=1, description="xi of the shares' moving average")


def normalised(gain: Tensor, norm: Norm) -> Tensor:
    """What agents contribute, [..., N], made comparable between tasks."""
    if norm == "max":
        return gain / (gain.amax(dim=-1, keepdim=True) + SMALLEST_GAIN)
    if norm == "sum":
        return gain / (gain.sum(dim=-1, keepdim=True) + SMALLEST_GAIN)
    if norm == "zscore":
        deviation = gain.std(dim=-1, correction=0, keepdim=True)
        return (gain - gain.mean(dim=-1, keepdim=True)) / (deviation + SMALLEST_GAIN)
    return gain


def shares(gain: Tensor, total: float, *, norm: Norm, tau_b: float, reverse: bool = False) -> Tensor:
    """beta, which agent gets how much of H_0 (equation 14): [..., N] -> [..., N], on the simplex.

    Who contributes least gets the highest entropy: the largest share of an H_0 that is positive, the smallest of one
    that is negative.
    """
    sign = -1.0 if (total >= 0) != reverse else 1.0
    return (sign * normalised(gain, norm) / tau_b).softmax(dim=-1)


class TargetEntropies:
    """H_i = beta_i H_0 with a moving average beta (equation 15). It begins with equal shares."""

    def __init__(self, settings: TargetEntropySettings, *, spec: EnvSpec, device: torch.device) -> None:
        self.settings = settings
        self.total = maximum_entropy(settings, spec)
        self.shares = torch.full((spec.n_agents,), 1 / spec.n_agents, device=device)
        self.given = torch.tensor(settings.given_target_entropies, device=device)
        if settings.target_entropies == "given" and len(self.given) != spec.n_agents:
            raise ValueError(
                f"given_target_entropies has {len(self.given)} numbers, and there are {spec.n_agents} agents: "
                "give one for each, or target_entropies=adaptive or uniform"
            )

    @property
    def values(self) -> Tensor:
        """H_1 ... H_N: [N]."""
        return self.given if self.settings.target_entropies == "given" else self.shares * self.total

    def update(self, gain: Tensor) -> None:
        """Follow what each agent contributed in each of R rows: [R, N]."""
        settings = self.settings
        if settings.target_entropies != "adaptive":
            return
        how = {"norm": settings.norm, "tau_b": settings.tau_b, "reverse": settings.reverse_metric}
        if settings.beta_avg == "softmax_of_mean":
            latest = shares(gain.mean(dim=0), self.total, **how)
        else:
            latest = shares(gain, self.total, **how).mean(dim=0)
        weight = {"code": 1 - settings.ema_xi, "paper": settings.ema_xi, "none": 1.0}[settings.ema_form]
        self.shares.lerp_(latest, weight)

    def state_dict(self) -> dict[str, Any]:
        return {"shares": self.shares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.shares.copy_(state["shares"])


def maximum_entropy(settings: TargetEntropySettings, spec: EnvSpec) -> float:
    """H_0, the sum of all target entropies (appendix C.2)."""
    if spec.action_dim:
        return spec.n_agents * spec.action_dim * settings.entropy_per_dim
    return spec.n_agents * math.log(spec.n_actions) * settings.k_ratio
