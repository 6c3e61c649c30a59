"""MAMT: MAMD whose trust regions are learned from how non-stationary the agents are to one another."""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import inner_per_agent, kl_divergence
from cohort.components.seeding import generator
from cohort.components.transitions import Transitions
from cohort.envs.base import EnvSpec
from cohort.learners.actor_critic.coordination import (
    CoordinationSettings,
    coefficients,
    coordination,
    situation,
)
from cohort.learners.actor_critic.mamd_learner import MAMDLearner, MAMDLearnerSettings, Standing
from cohort.learners.actor_critic.modelling import (
    ModellingPolicies,
    ModellingSettings,
    model_error,
    modelled,
    surrogate,
)
from cohort.learners.actor_critic.trust_regions import LearnedTrustRegions, LearnedTrustRegionSettings
from cohort.learners.base import Loss
from cohort.learners.metrics import per_agent, per_pair
from cohort.learners.optimisers import Adam
from cohort.modules.trd_net import TRDNet, TRDNetSettings


class MAMTLearnerSettings(
    LearnedTrustRegionSettings, CoordinationSettings, ModellingSettings, TRDNetSettings, MAMDLearnerSettings
):
    non_stationarity: Literal["modelling", "old_policies"] = Field(
        description="what TRD-Net learns. modelling: how far the others' policies are from what each agent expects; "
        "old_policies: how far from their own old policies"
    )
    dns_max: float = Field(gt=0, description="most that one agent's non-stationarity counts")
    trd_loss: Literal["sum", "per_agent"] = Field(
        description="TRD-Net's error is of the sum over agents, or of each agent"
    )
    trd_lr: float = Field(ge=0, description="learning rate of TRD-Net's Adam")
    trd_grad_norm_clip: float = Field(
        gt=0, description="largest norm of TRD-Net's gradient, for each agent: N times this in all"
    )
    n_fast: int = Field(ge=1, description="steps of TRD-Net in each update")


class MAMTLearner(MAMDLearner):
    """MAMT (Dealing with Non-Stationarity in MARL via Trust-Region Decomposition, ICLR 2022, Algorithms 1 and 2).

    C_ij says how much agent i's value hangs on agent j's action (equation 5), D_i = sum_j C_ij KL(h_ij || pi_j) how
    badly agent i knows those that matter to it (equation 6), h its modelling policies; TRD-Net learns sum_i D_i
    (equation 7), and the sizes delta of the trust regions climb F = V - KLhat - ReLU(sum_i delta_i - delta), equation
    8, with the net's estimate KLhat. All the rest is MAMD. Open in the paper and chosen here: how V depends on delta
    (`value_term`), Q without an action (`removed_action`), TRD-Net's wiring, the range of D.
    """

    Settings = MAMTLearnerSettings

    def __init__(
        self, settings: MAMTLearnerSettings, *, spec: EnvSpec, device: torch.device, seed: int, **parts: Any
    ) -> None:
        super().__init__(settings, spec=spec, device=device, seed=seed, **parts)
        regions = LearnedTrustRegions(settings, n_agents=spec.n_agents).to(device)
        self.networks["trust_regions"], self.trust_regions = regions, regions.sizes
        self.networks["trd_net"] = TRDNet(settings, spec=spec).to(device)
        self._add_adam(
            "trust_region", "trust_regions", settings.trust_region_lr, settings.trust_region_grad_norm_clip
        )
        self._add_adam("trd_net", "trd_net", settings.trd_lr, settings.trd_grad_norm_clip * spec.n_agents)
        self.models = settings.non_stationarity == "modelling"
        if self.models:
            self.networks["modelling"] = ModellingPolicies(settings, spec=spec).to(device)
            rate, clip = settings.modelling_lr, settings.modelling_grad_norm_clip
            self._add_adam("modelling", "modelling", rate, clip, per_agent=True)
        self.chance = generator(seed, "random coordination", device)
        self.keep(chance=self.chance)

    def _add_adam(
        self, name: str, network: str, rate: float, clip: float, *, per_agent: bool = False
    ) -> None:
        parameters = list(self.networks[network].parameters())
        optimiser = Adam(parameters, lr=rate, eps=self.settings.optim_eps, fused=True)
        self.add_loss(name, parameters, optimiser, grad_norm_clip=clip, per_agent=per_agent)

    def adapt(self, batch: Transitions, standing: Standing) -> Metrics:
        """Trust regions, then TRD-Net, then the modelling policies, at what the actors do now."""
        rows = slice(self.settings.coordination_batch_size)
        weights = self.coordination(batch, standing)
        log_models, modelling = self.models_of_others(batch)
        target = surrogate(weights, self.divergences(standing, log_models), self.settings.dns_max)
        seen = (batch.obs[rows], self.one_hot(standing.decisions.actions[rows]), weights)
        metrics = self.move_trust_regions(standing, seen) | self.learn_non_stationarity(seen, target)
        if modelling is not None:
            metrics |= self.minimise("modelling", modelling)
        others = self.n_agents * (self.n_agents - 1)
        return {
            **metrics,
            **per_pair("coordination", weights.mean(dim=0)),
            "coordination_kept": (weights > 0).sum() / (len(weights) * others),
            "zero_coordination_rows": (weights.sum(dim=-1) == 0).float().mean(),
            "d_ns": target.sum(dim=1).mean(),
            **per_agent("d_ns_agent", target.mean(dim=0)),
        }

    @torch.no_grad()
    def coordination(self, batch: Transitions, standing: Standing) -> Tensor:
        """C at the first rows of the batch: [R, N, N]."""
        settings, agents = self.settings, self.n_agents
        rows = min(settings.coordination_batch_size, len(batch.obs))
        if settings.coordination == "random":
            change = torch.rand(rows, agents, agents, generator=self.chance, device=batch.obs.device)
            return coefficients(change.to(batch.obs.dtype), settings.coordination_threshold)
        if settings.coordination == "fixed":
            return (1 - torch.eye(agents).to(batch.obs)).expand(rows, -1, -1) / (agents - 1)
        decisions = standing.decisions
        chances = decisions.log_probs.exp()
        at = situation(batch.obs, self.one_hot(decisions.actions), chances, standing.values, rows)
        return coordination(self.critic, at, settings.removed_action, settings.coordination_threshold)

    def models_of_others(self, batch: Transitions) -> tuple[Tensor | None, Loss | None]:
        """log h_ij [B, N, N, A] and their loss on the actions that were taken; None where nobody models."""
        if not self.models:
            return None, None
        networks = self.networks["modelling"]
        logits = networks(batch.obs)
        log_models = modelled(logits, batch.available_actions)
        cross_entropy, loss = networks.loss(
            log_models, logits, batch.actions, self.settings.modelling_penalty
        )
        return log_models.detach(), Loss(loss, {"modelling_loss": cross_entropy.detach()})

    @torch.no_grad()
    def divergences(self, standing: Standing, log_models: Tensor | None) -> Tensor:
        """What C weighs, of agent j as agent i has it: [R, N, N]."""
        rows = slice(self.settings.coordination_batch_size)
        log_probs = standing.decisions.log_probs[rows]
        if log_models is not None:
            return model_error(log_models[rows], log_probs)
        moved = kl_divergence(log_probs, standing.old_log_probs[rows]) / self.n_agents
        return moved.unsqueeze(1).expand(-1, self.n_agents, -1)

    def move_trust_regions(self, standing: Standing, seen: tuple[Tensor, ...]) -> Metrics:
        """`n_slow` steps up F (equation 8)."""
        regions, slope = self.networks["trust_regions"], self.value_slope(standing)
        for _ in range(self.settings.n_slow):
            gradient = slope / regions.sizes.detach().square()
            objective = regions.objective(gradient, self.networks["trd_net"](*seen, regions.sizes))
            metrics = self.minimise("trust_region", Loss(-objective, {}))
            regions.clip()
        sizes = regions.sizes.detach().clone()  # metrics are averages of what was, not of what will be
        within = {"trust_regions_within_budget": regions.within_budget}
        return metrics | per_agent("trust_region_agent", sizes) | within

    def value_slope(self, standing: Standing) -> Tensor:
        """delta_i^2 dV / d delta_i, constant: [N]."""
        term, decisions = self.settings.value_term, standing.decisions
        if term == "none":
            return torch.zeros(self.n_agents, device=decisions.actions.device)
        held = torch.where(self.constrained, self.held_divergence(standing).mean(dim=0), 0.0)
        if term == "penalty":
            return held.detach()
        gain = (decisions.chosen * standing.advantages).mean(dim=0).sum()
        of_gain, of_held = (
            torch.autograd.grad(each, self.actor_parameters, retain_graph=True) for each in (gain, held.sum())
        )
        return self.settings.actor_lr * inner_per_agent(of_gain, of_held)

    def held_divergence(self, standing: Standing) -> Tensor:
        """What the actors' objective divides by delta_i: KL(pi_i || pi_i^old), [B, N], with its graph."""
        return kl_divergence(standing.decisions.log_probs, standing.old_log_probs)

    def learn_non_stationarity(self, seen: tuple[Tensor, ...], target: Tensor) -> Metrics:
        """`n_fast` steps of TRD-Net towards D [R, N] (equation 7)."""
        for _ in range(self.settings.n_fast):
            estimate = self.networks["trd_net"](*seen, self.trust_regions.detach())
            if self.settings.trd_loss == "sum":
                error = (estimate.sum(dim=1) - target.sum(dim=1)).square().mean()
            else:
                error = (estimate - target).square().mean()
            metrics = self.minimise(
                "trd_net", Loss(error, {"kl_estimate": estimate.detach().sum(dim=1).mean()})
            )
        return metrics
