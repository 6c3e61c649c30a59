"""MAAC: soft actor-critic for teams, with a critic that attends and a counterfactual baseline."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.functional import (
    entropy,
    kl_divergence,
    masked_log_softmax,
    one_step_target,
    taken,
)
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.categorical_actors import (
    AdamSettings,
    CategoricalActorsSettings,
    add_adam_losses,
)
from cohort.learners.actor_critic.counterfactual import CounterfactualLearner, Decisions
from cohort.learners.base import Loss
from cohort.learners.metrics import per_agent, per_pair
from cohort.learners.targets import HardUpdate, TargetRule

# updates between two measurements where nothing but the record wants the old policies: they cost 4 %
KL_EVERY = 10


class MAACLearnerSettings(CategoricalActorsSettings, AdamSettings):
    reward_scale: float = Field(
        gt=0, description="entropy is worth 1 / reward_scale of the rewards learned from"
    )
    entropy_inside_gamma: bool = Field(
        description="the next action's entropy belongs to the next value (discounted, cut where a game ends)"
    )
    attention_penalty: float = Field(ge=0, description="weight of the squared attention logits")
    policy_penalty: float = Field(ge=0, description="weight of the squared logits of the policies")
    old_policy_interval: int = Field(
        ge=1, description="m, updates between two copies of the policies, from which their KL is measured"
    )


class MAACLearner(CounterfactualLearner):
    """MAAC (Actor-Attention-Critic for Multi-Agent Reinforcement Learning, arXiv:1810.02912), tau = 1 / reward_scale.

    y_i = r_i + gamma Q-_i(o', a') - tau log pi-_i(a'_i | o'_i), a' from the target policies; the critic minimises
    sum_i mean (Q_i(o, a) - y_i)^2, actor i the mean of log pi_i(a_i | o_i) [tau log pi_i(a_i | o_i) - A_i]', a from the
    live policies of all agents at replayed observations, [.]' constant, A_i counterfactual as COMA's.
    As its authors' code does it: squared logits of attention and policies are punished, gradients on what all agents
    share are divided by N, and the entropy in y_i is not discounted. Departs from it in: actions may be unavailable.
    """

    Settings = MAACLearnerSettings

    def __init__(self, settings: MAACLearnerSettings, **parts: Any) -> None:
        super().__init__(settings, **parts)
        add_adam_losses(self, settings, fused=True)

    def target_rules(self, settings: MAACLearnerSettings) -> dict[str, TargetRule]:
        old = HardUpdate(settings.old_policy_interval, "updates", of="policy")
        return {**super().target_rules(settings), "old_policy": old}

    def step(self, batch: Transitions) -> Metrics:
        metrics = self.minimise_critic(self.critic_loss(batch))
        decisions = self.decide(self.policy, batch.obs, batch.available_actions)
        if self.updates % KL_EVERY == KL_EVERY // 2:  # all ages of the old policies count alike
            metrics |= self.kl_metrics(decisions, self.old_log_probs(batch))
        weight = self.score_weight(decisions, self.advantages(batch.obs, decisions))
        return metrics | self.minimise("actor", self.actor_loss(decisions, weight))

    @torch.no_grad()
    def old_log_probs(self, batch: Transitions) -> Tensor:
        """log pi^old of every action at a batch's observations: [B, N, A]."""
        return masked_log_softmax(self.targets["old_policy"](batch.obs), batch.available_actions)

    def kl_metrics(self, decisions: Decisions, old_log_probs: Tensor) -> Metrics:
        """KL(pi_i || pi_i^old), exact in the actions, mean over the batch."""
        kl = kl_divergence(decisions.log_probs.detach(), old_log_probs).mean(dim=0)
        return per_agent("kl_agent", kl)

    def target(self, batch: Transitions) -> Tensor:
        """y: [B, N]."""
        value, log_prob = self.next_values(batch)
        bonus = -log_prob / self.settings.reward_scale
        if self.settings.entropy_inside_gamma:
            return one_step_target(batch.reward, batch.terminated, value + bonus, self.settings.gamma)
        return one_step_target(batch.reward, batch.terminated, value, self.settings.gamma) + bonus

    def critic_loss(self, batch: Transitions) -> Loss:
        target = self.target(batch)
        values, logits, weights = self.critic(batch.obs, self.one_hot(batch.actions))
        chosen = taken(values, batch.actions)
        error = (chosen - target).square().mean(dim=0).sum()
        loss = error + self.settings.attention_penalty * self.critic.logit_penalty(logits)
        metrics: Metrics = {
            "critic_loss": error.detach(),
            "q_taken_mean": chosen.detach().mean(),
            "target_mean": target.mean(),
            **per_pair("attention", weights.detach().mean(dim=(0, 1))),
        }
        return Loss(loss, metrics)

    def minimise_critic(self, loss: Loss) -> Metrics:
        """One step of the critic. What all agents share receives the gradients of N losses, and their mean is used."""
        gradient = self.gradient("critic", loss)
        shared = {id(parameter) for parameter in self.critic.shared_parameters()}
        for parameter, each in zip(self.critic_parameters, gradient, strict=True):
            if id(parameter) in shared:
                each.div_(self.n_agents)
        return self.step_along("critic", gradient, loss)

    def actor_loss(self, decisions: Decisions, weight: Tensor) -> Loss:
        """The sum of all actors' losses, each of which reaches one actor alone.

        `weight` [B, N], constant, is what speaks against each decision.
        """
        reinforce = (decisions.chosen * weight).mean(dim=0)
        penalty = self.settings.policy_penalty * decisions.logits.square().mean(dim=(0, 2))
        loss = (reinforce + penalty).sum()
        return Loss(
            loss, {"actor_loss": loss.detach(), "entropy": entropy(decisions.log_probs.detach()).mean()}
        )

    def score_weight(self, decisions: Decisions, advantages: Tensor) -> Tensor:
        """tau log pi_i(a_i | o_i) - A_i, constant: [B, N]."""
        return decisions.chosen.detach() / self.settings.reward_scale - advantages
