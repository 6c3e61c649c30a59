"""MADDPG for discrete actions: every agent climbs a critic of its own, which reads what all see and do."""

import torch
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.replayed_actors import ReplayedActorsLearner, ReplayedActorsSettings
from cohort.learners.base import Loss


class DiscreteMADDPGLearner(ReplayedActorsLearner):
    """MADDPG (arXiv:1706.02275, equations 5 and 6) with straight-through Gumbel-softmax actors.

    Critic i minimises the mean of (Q_i(o, a) - r_i - gamma Q-_i(o', a'))^2, a' the likeliest actions of the target
    policies; actor i climbs the mean of Q_i(o, (a_i, a_-i)), a_i its own sample, whose gradient passes straight
    through, and a_-i as replayed. Departs from it in: squared logits are punished, as the widely
    used PyTorch version has it; actions may be unavailable.
    """

    Settings = ReplayedActorsSettings
    critic_values = "joint actions for each agent"

    def step(self, batch: Transitions) -> Metrics:
        metrics = self.minimise("critic", self.critic_loss(batch))
        return metrics | self.minimise("actor", self.actor_loss(batch))

    def critic_loss(self, batch: Transitions) -> Loss:
        chosen = self.critic(batch.obs, self.one_hot(batch.actions))
        return self.temporal_difference(chosen, self.target(batch, self.next_value(batch)))

    @torch.no_grad()
    def next_value(self, batch: Transitions) -> Tensor:
        """Q-_i(o', a') of the target policies' likeliest actions: [B, N]."""
        after = self.policy.decide(self.targets["policy"](batch.next_obs), batch.next_available_actions)
        return self.targets["critic"](batch.next_obs, self.one_hot(after.mode))

    def actor_loss(self, batch: Transitions) -> Loss:
        """The sum of all actors' losses, each of which reaches one actor alone."""
        logits = self.policy(batch.obs)
        decision = self.policy.decide(logits, batch.available_actions)
        own = decision.straight_through(self.generator)  # [B, N, A]
        value = self.critic.exchanging_own(batch.obs, self.one_hot(batch.actions), own).mean(dim=0).sum()
        metrics: Metrics = {
            "q_policy_mean": value.detach() / logits.shape[1],
            "entropy": decision.entropy().detach().mean(),
        }
        return Loss(self.logit_penalty(logits) - value, metrics)
