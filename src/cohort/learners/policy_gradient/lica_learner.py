"""LICA: policies climb a critic of their joint chances, and the pull of their entropy adapts to it."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import entropy
from cohort.components.packing import Packing
from cohort.components.returns import td_lambda_returns
from cohort.envs.base import EnvSpec
from cohort.learners.base import Loss
from cohort.learners.policy_gradient.action_values import ActionValueLearner, ActionValueSettings

SMALLEST_ENTROPY = 1e-6  # below it the pull of the entropy grows no more


class LICALearner(ActionValueLearner):
    """LICA (arXiv:2007.02529; its authors' code).

    The critic learns TD(lambda) returns of a target critic on the joint actions that were played, as one-hot chances.
    Then all policies climb Q(s, pi_1 ... pi_N), whose gradient reaches each through the critic, and entropy_coef / H
    times their mean entropy H, the weight constant: the smaller H, the stronger its gradient.
    """

    Settings = ActionValueSettings
    critic_values = "joint chances"

    def __init__(self, settings: ActionValueSettings, *, spec: EnvSpec, **parts: Any) -> None:
        if not spec.common_reward:
            raise ValueError(
                "LICA's critic learns one value for the team, and here every agent has a reward of its own: "
                "give the environment a common reward, or choose another algorithm"
            )
        super().__init__(settings, spec=spec, **parts)
        self.n_actions = spec.n_actions

    @torch.no_grad()
    def prepare(self, episodes: Episodes) -> Episodes:
        """The critic's targets, `value_target`, [B, T, 1]."""
        packing = packing_of(episodes)
        actions = packing.after_steps(packing.of_moments(self.actions_after(episodes)))
        states = packing.after_steps(packing.of_moments(episodes.state))
        after = packing.padded(self.targets["critic"](self.as_chances(actions), states))
        gamma, td_lambda = self.settings.gamma, self.settings.td_lambda
        target = td_lambda_returns(
            episodes.reward, episodes.terminated, after, episodes.mask, gamma, td_lambda
        )
        return episodes.with_extras(value_target=target)

    def step(self, batch: Episodes) -> Metrics:
        metrics = self.minimise("critic", self.critic_loss(batch))
        return metrics | self.minimise("actor", self.actor_loss(batch))

    def critic_loss(self, episodes: Episodes) -> Loss:
        packing = packing_of(episodes)
        actions = packing.of_steps(episodes.actions)
        value = self.critic(self.as_chances(actions), packing.of_steps(episodes.state[:, :-1]))  # [R, 1]
        error = (value - packing.of_steps(episodes.extras["value_target"])).square().mean()
        return Loss(error, {"q_taken_mean": value.detach().mean()})

    def actor_loss(self, episodes: Episodes) -> Loss:
        """-mean Q(s, pi) - entropy_coef / H.detach() H, H the mean entropy over agents and real steps."""
        packing = packing_of(episodes)
        log_probs = packing.of_steps(self.decisions(episodes).log_probs[:, :-1])  # [R, N, A]
        value = self.critic(log_probs.exp(), packing.of_steps(episodes.state[:, :-1])).mean()
        mean_entropy = entropy(log_probs).mean()
        weight = self.settings.entropy_coef / mean_entropy.detach().clamp(min=SMALLEST_ENTROPY)
        metrics: Metrics = {"entropy": mean_entropy.detach(), "q_policy_mean": value.detach()}
        return Loss(-value - weight * mean_entropy, metrics)

    def as_chances(self, actions: Tensor) -> Tensor:
        """[..., N] int64 -> [..., N, A], one-hot."""
        return F.one_hot(actions, self.n_actions).to(torch.get_default_dtype())


def packing_of(episodes: Episodes) -> Packing:
    return Packing.of(episodes.length, episodes.actions.shape[1])
