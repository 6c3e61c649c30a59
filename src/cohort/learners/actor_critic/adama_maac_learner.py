"""AdaMa's learning rates on MAAC's critic, for discrete actions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import entropy, inner, inner_per_agent, one_step_target, taken
from cohort.components.transitions import Transitions
from cohort.envs.base import EnvSpec
from cohort.learners.actor_critic.categorical_actors import CategoricalActorsSettings
from cohort.learners.actor_critic.counterfactual import CounterfactualLearner, Decisions
from cohort.learners.actor_critic.rates import AdaptiveRates, AdaptiveRatesSettings


class AdaMaMAACLearnerSettings(CategoricalActorsSettings, AdaptiveRatesSettings):
    critic_lr: float = Field(ge=0, description="where l_c, the learning rate of the critic, begins")
    actor_lr_norm: float = Field(
        ge=0, description="where n_a, the length of the vector of the actors' rates, begins"
    )


class DistributionGradient(NamedTuple):
    """How J, the value of the policies as distributions, changes with all parameters."""

    value: Tensor  # J, a scalar
    actors: Sequence[Tensor]  # q_1 ... q_N stacked: [N, ...] for each of the actors' parameters
    critic: Sequence[Tensor]  # g_Q = dJ / d phi


class AdaMaMAACLearner(CounterfactualLearner):
    """AdaMa on MAAC (Adaptive Learning Rates for Multi-Agent Reinforcement Learning, appendix A.1), by plain SGD.

    Actor i climbs p_i = mean grad log pi_i(a_i | o_i) A_i, so that its rate brings <p_i, q_i> where MADDPG's brings
    ||g_i||^2: q_i = dJ / d theta_i through distributions in place of actions. All the rest is equations 1 and 2.
    The paper leaves open what is chosen here: J = mean_b 1/N sum_i sum_a pi_i(a | o_i) Q_i(o, (a, pi_-i)); the critic,
    trained on the actions that were taken, reads distributions by the same normalisation; delta is the mean over agents
    of their squared errors. MAAC's targets stay; its entropy, penalties, clipping and Adam do not.
    """

    Settings = AdaMaMAACLearnerSettings

    def __init__(
        self, settings: AdaMaMAACLearnerSettings, *, spec: EnvSpec, device: torch.device, **parts: Any
    ) -> None:
        super().__init__(settings, spec=spec, device=device, **parts)
        self.rates = AdaptiveRates(
            settings,
            critic=settings.critic_lr,
            actor_norm=settings.actor_lr_norm,
            n_agents=spec.n_agents,
            device=device,
        )
        self.keep(rates=self.rates)

    def step(self, batch: Transitions) -> Metrics:
        played = self.one_hot(batch.actions)
        error, g_d, value = self.critic_gradient(batch, played)
        decisions = self.decide(self.policy, batch.obs, batch.available_actions)
        p = self.actor_gradient(decisions, self.advantages(batch.obs, decisions, like=played))
        q = self.distribution_gradient(batch.obs, decisions, like=played)
        metrics = self.rates.adapt_critic_rate(inner(g_d, q.critic).abs())
        gain = inner_per_agent(p, q.actors)  # <p_i, q_i>: [N]
        if self.settings.adapt_direction:
            metrics |= self.rates.adapt_actor_rates(gain)
        self.rates.step_critic(self.critic_parameters, g_d)
        self.rates.step_actors(self.actor_parameters, p)
        return {
            "critic_loss": error,
            "q_taken_mean": value,
            "q_policy_mean": q.value,
            "entropy": entropy(decisions.log_probs.detach()).mean(),
            "negative_gains": (gain < 0).sum(),
            **metrics,
            **self.rates.metrics(),
        }

    def critic_gradient(self, batch: Transitions, played: Tensor) -> tuple[Tensor, Sequence[Tensor], Tensor]:
        """delta, its gradient g_d on the critic, and the mean value; `played` [B, N, A] are the actions one-hot."""
        next_value, _ = self.next_values(batch)
        target = one_step_target(batch.reward, batch.terminated, next_value, self.settings.gamma)
        chosen = taken(self.critic(batch.obs, played).values, batch.actions)
        error = (chosen - target).square().mean()
        gradient = torch.autograd.grad(error, self.critic_parameters)
        return error.detach(), gradient, chosen.detach().mean()

    def actor_gradient(self, decisions: Decisions, advantages: Tensor) -> Sequence[Tensor]:
        """p_1 ... p_N stacked; the graph of `decisions` stays."""
        score = (decisions.chosen * advantages).mean(dim=0).sum()
        return torch.autograd.grad(score, self.actor_parameters, retain_graph=True)

    def distribution_gradient(self, obs: Tensor, decisions: Decisions, like: Tensor) -> DistributionGradient:
        """J and its gradients through the distributions, the critic normalising them as `like` [B, N, A]."""
        probabilities = decisions.log_probs.exp()
        values = self.critic(obs, probabilities, like).values
        value = (probabilities * values).sum(dim=-1).mean()
        gradient = torch.autograd.grad(value, [*self.actor_parameters, *self.critic_parameters])
        count = len(self.actor_parameters)
        return DistributionGradient(value.detach(), gradient[:count], gradient[count:])
