"""AdaMa: learning rates of critic and actors that follow what each contributes to the change of Q."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import inner, inner_per_agent
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.maddpg_learner import (
    ActorGradient,
    CriticGradient,
    MADDPGLearner,
    MADDPGLearnerSettings,
)
from cohort.learners.actor_critic.rates import AdaptiveRates, AdaptiveRatesSettings
from cohort.learners.actor_critic.second_order import gain_by_look_ahead, pairwise_gain


class AdaMaLearnerSettings(MADDPGLearnerSettings, AdaptiveRatesSettings):
    second_order: Literal["none", "hvp", "secant", "lookahead"] = Field(
        description="none: equation 1. Equation 3 by Hessian-vector products, by the change of dQ/da over the step, "
        "or by the gradient after the step"
    )
    gq_actions: Literal["policy", "replay"] = Field(
        description="actions at which the critic's contribution is measured"
    )


class AdaMaLearner(MADDPGLearner):
    """AdaMa (Adaptive Learning Rates for Multi-Agent Reinforcement Learning, ICLR 2021 submission), Algorithm 1.

    G_i = ||g_i||^2 turns the actors' rates (eq. 1), D = |<g_d, g_Q>| shares l = critic_lr + actor_lr_norm out between
    critic and actors (eq. 2). All gradients are of means over the batch, since it is by those that parameters move.
    Departs from it in: equation 3 is identically equation 1 where critics are piecewise linear (relu, its Table 1), so
    that its second order needs another activation or another way to measure it (`second_order`); rates below zero
    become zero.
    """

    Settings = AdaMaLearnerSettings

    def make_rates(self, n_agents: int, device: torch.device) -> AdaptiveRates:
        return AdaptiveRates(
            self.settings,
            critic=self.settings.critic_lr,
            actor_norm=self.settings.actor_lr_norm,
            n_agents=n_agents,
            device=device,
        )

    @property
    def needs_replayed_value(self) -> bool:
        return self.settings.gq_actions == "replay"

    def actor_gradient(self, batch: Transitions) -> ActorGradient:
        """J, its gradients on actors and critic, and on the actions: one backward pass."""
        actions = self.policy(batch.obs)
        value = self.critic(batch.obs, actions).mean()
        wanted = [*self.actor_parameters, *self.critic_parameters, actions]
        *parameters, action_gradient = torch.autograd.grad(value, wanted)
        own, critics = (
            parameters[: len(self.actor_parameters)],
            parameters[len(self.actor_parameters) :],
        )
        return ActorGradient(value.detach(), own, critics, actions.detach(), action_gradient)

    def adapt_magnitude(self, critic: CriticGradient, actors: ActorGradient) -> Metrics:
        towards = actors.critic_gradient
        if self.settings.gq_actions == "replay":
            towards = torch.autograd.grad(critic.value, self.critic_parameters)
        return self.rates.adapt_critic_rate(inner(critic.gradient, towards).abs())

    def gain(self, batch: Transitions, actors: ActorGradient) -> Tensor:
        """G of equation 1 or, with the pairwise terms, E of equation 3: [N]."""
        rates = self.rates.actors.to(batch.obs.dtype)
        if self.settings.second_order == "lookahead":
            return gain_by_look_ahead(self.policy, self.critic, batch.obs, actors.gradient, rates)
        first = inner_per_agent(actors.gradient, actors.gradient)
        if self.settings.second_order == "none":
            return first
        return first + pairwise_gain(
            self.policy,
            self.critic,
            batch.obs,
            actors,
            rates,
            exact=self.settings.second_order == "hvp",
        )

    def adapt_direction(self, batch: Transitions, actors: ActorGradient) -> Metrics:
        return self.rates.adapt_actor_rates(self.gain(batch, actors)) if self.settings.adapt_direction else {}
