"""What the learners on an attention critic share: targets, decisions at replayed observations, advantages."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohort.components.functional import counterfactual_advantage, masked_log_softmax, sampled_actions, taken
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy
from cohort.learners.actor_critic.categorical_actors import CategoricalActorsLearner
from cohort.modules.critics.attention import AttentionCritic


class Decisions(NamedTuple):
    """What the live policies make of B replayed observations; all but `actions` carry their graph."""

    logits: Tensor  # [B, N, A] of all actions
    log_probs: Tensor  # [B, N, A], -inf where an action is not available
    actions: Tensor  # [B, N] int64, drawn from these policies

    @property
    def chosen(self) -> Tensor:
        """log pi_i(a_i | o_i): [B, N]."""
        return taken(self.log_probs, self.actions)


class CounterfactualLearner(CategoricalActorsLearner):
    """The critic values each of an agent's actions while the others' are given."""

    critic_values = "actions at once"
    critic: AttentionCritic

    def decide(self, policy: TeamPolicy, obs: Tensor, available_actions: Tensor) -> Decisions:
        """The policies at a batch of observations [B, N, O], and an action from each of them."""
        logits = policy(obs)
        log_probs = masked_log_softmax(logits, available_actions)
        return Decisions(logits, log_probs, sampled_actions(log_probs.detach().exp(), self.generator))

    @torch.no_grad()
    def next_values(self, batch: Transitions) -> tuple[Tensor, Tensor]:
        """Target values Q-_i(o', a') of actions from the target policies, and log pi-_i(a'_i | o'_i): [B, N] each."""
        after = self.decide(self.targets["policy"], batch.next_obs, batch.next_available_actions)
        values = self.targets["critic"](batch.next_obs, self.one_hot(after.actions)).values
        return taken(values, after.actions), after.chosen

    @torch.no_grad()
    def values(self, obs: Tensor, decisions: Decisions, like: Tensor | None = None) -> Tensor:
        """Q_i(o, (., a_-i)) of every own action, the others deciding as they did: [B, N, A], constant."""
        return self.critic(obs, self.one_hot(decisions.actions), like).values

    @torch.no_grad()
    def advantages(self, obs: Tensor, decisions: Decisions, like: Tensor | None = None) -> Tensor:
        """A_i = Q_i(o, a) - sum_a' pi_i(a' | o_i) Q_i(o, (a', a_-i)) at the decisions: [B, N], constant."""
        values = self.values(obs, decisions, like)
        return counterfactual_advantage(values, decisions.log_probs.exp(), decisions.actions)
