"""LOLA on DQN: two agents learn the values of their joint actions, and foresee that the other learns too."""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.func import functional_call

from cohort.components.averages import Metrics
from cohort.components.functional import entropy, masked_log_softmax
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic.lola import lola_gradient
from cohort.learners.actor_critic.replayed_actors import ReplayedActorsLearner, ReplayedActorsSettings
from cohort.learners.base import Loss


class LOLADQNLearnerSettings(ReplayedActorsSettings):
    lola_lr: float = Field(ge=0, description="step size with which each agent imagines the other to learn")
    lookahead: bool = Field(
        description="the exact gradient of what an agent gets after the other's step, not LOLA's Taylor form"
    )


class LOLADQNLearner(ReplayedActorsLearner):
    """LOLA (arXiv:1709.04326) with V_i read off a DQN of joint actions (MAMT, ICLR 2022, section 4 and Table 7).

    Q_i(o, a_1, a_2) of each agent minimises the mean of (Q_i(o, a) - r_i - gamma V-_i(o'))^2, V-_i the expectation of
    the target Q-_i under the target policies. V_i(theta_1, theta_2) is the mean over replayed observations of
    sum_{a_1, a_2} pi_1(a_1 | o_1) pi_2(a_2 | o_2) Q_i(o, a_1, a_2), with Q_i as it stands, and `lola_gradient` says
    where the policies go; Adam sets the length of their steps. The paper that names the method says no more of it.
    """

    Settings = LOLADQNLearnerSettings
    critic_values = "pairs of actions"

    def step(self, batch: Transitions) -> Metrics:
        metrics = self.minimise("critic", self.critic_loss(batch))
        return metrics | self.step_actors(batch)

    def critic_loss(self, batch: Transitions) -> Loss:
        first, second = batch.actions.unbind(dim=1)
        chosen = self.critic(batch.obs)[torch.arange(batch.batch_size, device=first.device), :, first, second]
        return self.temporal_difference(chosen, self.target(batch, self.next_value(batch)))

    @torch.no_grad()
    def next_value(self, batch: Transitions) -> Tensor:
        """V-_i(o'): [B, N]."""
        logits = self.targets["policy"](batch.next_obs)
        chances = masked_log_softmax(logits, batch.next_available_actions).exp()
        return expected_values(self.targets["critic"](batch.next_obs), chances)

    def step_actors(self, batch: Transitions) -> Metrics:
        """One step of both policies."""
        with torch.no_grad():
            pairs = self.critic(batch.obs)
        logits = self.policy(batch.obs)
        log_probs = masked_log_softmax(logits, batch.available_actions)
        penalty = self.logit_penalty(logits)
        names = [name for name, _ in self.policy.named_parameters()]

        def values(parameters: Sequence[Tensor]) -> Tensor:
            moved = functional_call(self.policy, dict(zip(names, parameters, strict=True)), (batch.obs,))
            chances = masked_log_softmax(moved, batch.available_actions).exp()
            return expected_values(pairs, chances).mean(dim=0)

        ascent = lola_gradient(
            values, self.actor_parameters, self.settings.lola_lr, lookahead=self.settings.lookahead
        )
        descent = torch.autograd.grad(penalty, self.actor_parameters)
        gradient = [down - up for down, up in zip(descent, ascent, strict=True)]
        value = expected_values(pairs, log_probs.detach().exp()).mean()
        metrics: Metrics = {"q_policy_mean": value, "entropy": entropy(log_probs.detach()).mean()}
        return self.step_along("actor", gradient, Loss(penalty - value * pairs.shape[1], metrics))


def expected_values(pairs: Tensor, chances: Tensor) -> Tensor:
    """sum_{a_1, a_2} pi_1(a_1) pi_2(a_2) Q_i(a_1, a_2): [B, N, A, A], [B, 2, A] -> [B, N]."""
    return torch.einsum("bnij,bi,bj->bn", pairs, chances[:, 0], chances[:, 1])
