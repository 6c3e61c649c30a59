"""REINFORCE with a baseline for teams: an on-policy method from outside the tree."""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import masked_mean
from cohort.components.returns import td_lambda_returns
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss


class TeamReinforceSettings(DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of Adam, for policy and baseline")
    grad_norm_clip: float = Field(gt=0, description="largest norm of each gradient")
    entropy_coef: float = Field(ge=0, description="weight of the policies' entropy")


class TeamReinforceLearner(Learner):
    """REINFORCE (Williams 1992): every agent climbs log pi_i(a_i) (G - V_i), G the return to the episode's end.

    Where an episode is cut off, V of its last observation stands for what would have followed.
    """

    Settings = TeamReinforceSettings
    parts = ("critic",)
    policy_kind = ("action probabilities", "action densities")
    critic_values = "states"
    provides = ("prepare",)

    def __init__(
        self, settings: TeamReinforceSettings, *, spec: EnvSpec, policy: TeamPolicy,
        make_critic: Callable[..., nn.Module], device: torch.device, seed: int,
    ) -> None:  # fmt: skip
        super().__init__(settings, {"policy": policy, "critic": make_critic()}, target_rules={})
        self.policy, self.critic = policy, self.networks["critic"]
        for name, network in (("actor", policy), ("critic", self.critic)):
            parameters = list(network.parameters())
            optimiser = torch.optim.Adam(parameters, lr=settings.lr)
            self.add_loss(name, parameters, optimiser, grad_norm_clip=settings.grad_norm_clip)

    @torch.no_grad()
    def prepare(self, episodes: Episodes) -> Episodes:
        """Returns and advantages, [B, T, N] each, computed once for each collected batch."""
        value = self.critic(episodes)  # [B, T+1, N]
        returns = td_lambda_returns(
            episodes.reward,
            episodes.terminated,
            value[:, 1:],
            episodes.mask,
            self.settings.gamma,
            td_lambda=1.0,
        )
        return episodes.with_extras(returns=returns, advantage=returns - value[:, :-1])

    def step(self, batch: Episodes) -> Metrics:
        mask = batch.mask.unsqueeze(-1)
        error = (self.critic(batch)[:, :-1] - batch.extras["returns"]).square()
        metrics = self.minimise("critic", Loss(masked_mean(error, mask), {}))
        values = self.policy.unroll(self.policy.inputs(batch), batch)[:, :-1]
        decision = self.policy.decide(values, batch.available_actions[:, :-1])
        entropy = masked_mean(decision.entropy(), mask)
        score = masked_mean(decision.log_prob(batch.actions) * batch.extras["advantage"], mask)
        loss = Loss(-score - self.settings.entropy_coef * entropy, {"entropy": entropy.detach()})
        return metrics | self.minimise("actor", loss)
