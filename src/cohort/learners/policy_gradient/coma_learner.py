"""COMA: each agent's action is compared with its other actions while the team's are given."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import counterfactual_advantage, masked_mean, taken
from cohort.components.returns import td_lambda_returns
from cohort.learners.base import Loss
from cohort.learners.policy_gradient.action_values import ActionValueLearner, ActionValueSettings


class COMALearnerSettings(ActionValueSettings):
    critic_updates: int = Field(ge=1, description="steps of the critic for each step of the policy")


class COMALearner(ActionValueLearner):
    """COMA (arXiv:1705.08926, eq. 3 and 4): A_i = Q(s, u) - sum_a pi_i(a) Q(s, (u_-i, a)).

    The critic learns TD(lambda) targets of a target critic on the joint actions that were played; where an episode
    was cut off, the action that would have followed is drawn. Departs from it in: the critic takes `critic_updates`
    steps on all time steps together, not one for each time step from the last to the first; exploration is the
    policy's own, with an entropy bonus; `action_selector: epsilon_sampling` mixes in a falling share of uniform actions
    as the paper does, and the mixture is what is improved.
    """

    Settings = COMALearnerSettings
    critic_values = "actions"

    @torch.no_grad()
    def prepare(self, episodes: Episodes) -> Episodes:
        """The critic's targets, `value_target`, [B, T, N]."""
        actions = self.actions_after(episodes)  # [B, T+1, N]
        after = taken(self.targets["critic"](episodes.state, episodes.obs, actions), actions)[:, 1:]
        gamma, td_lambda = self.settings.gamma, self.settings.td_lambda
        target = td_lambda_returns(
            episodes.reward, episodes.terminated, after, episodes.mask, gamma, td_lambda
        )
        return episodes.with_extras(value_target=target)

    def step(self, batch: Episodes) -> Metrics:
        for _ in range(self.settings.critic_updates):
            metrics = self.minimise("critic", self.critic_loss(batch))
        return metrics | self.minimise("actor", self.actor_loss(batch))

    def action_values(self, episodes: Episodes) -> Tensor:
        """Q of each agent's actions at the joint actions that were played: [B, T, N, A]."""
        return self.critic(episodes.state[:, :-1], episodes.obs[:, :-1], episodes.actions)

    def critic_loss(self, episodes: Episodes) -> Loss:
        mask = episodes.mask.unsqueeze(-1)
        value = taken(self.action_values(episodes), episodes.actions)
        error = (value - episodes.extras["value_target"]).square()
        return Loss(masked_mean(error, mask), {"q_taken_mean": masked_mean(value.detach(), mask)})

    def actor_loss(self, episodes: Episodes) -> Loss:
        """-mean (A log pi) - entropy_coef H, over agents and real steps; A is constant."""
        mask, decisions = episodes.mask.unsqueeze(-1), self.decisions(episodes)
        log_probs = decisions.log_probs[:, :-1]
        with torch.no_grad():
            advantage = counterfactual_advantage(
                self.action_values(episodes), log_probs.exp(), episodes.actions
            )
        entropy = masked_mean(decisions.entropy()[:, :-1], mask)
        score = masked_mean(taken(log_probs, episodes.actions) * advantage, mask)
        metrics: Metrics = {
            "entropy": entropy.detach(),
            "advantage_std": advantage[mask.expand_as(advantage)].std(),
        }
        return Loss(-score - self.settings.entropy_coef * entropy, metrics)
