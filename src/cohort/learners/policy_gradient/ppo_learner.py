"""PPO for teams: MAPPO with a critic of the state, IPPO with one of each agent's own observation."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import clipped_gain, masked_mean
from cohort.components.returns import gae
from cohort.learners.base import Loss
from cohort.learners.policy_gradient.actor_critic import OnPolicyLearner, OnPolicySettings
from cohort.learners.policy_gradient.value_norm import ValueNorm

SMALLEST_STD = 1e-5


class PPOLearnerSettings(OnPolicySettings):
    gae_lambda: float = Field(ge=0, le=1, description="lambda of the advantages")
    clip_range: float = Field(gt=0, description="epsilon: ratios beyond 1 +- epsilon bring nothing more")
    value_clip_range: float | None = Field(
        gt=0, description="how far a value may move from the old one, in normalised units; null for no limit"
    )
    huber_delta: float | None = Field(
        gt=0, description="errors of values beyond it count linearly; null for squared errors"
    )
    normalise_advantages: bool = Field(description="advantages of a batch get mean 0 and deviation 1")
    normalise_values: bool = Field(description="the critic learns returns of mean 0 and deviation 1")
    value_norm_decay: float = Field(
        ge=0, lt=1, description="what is left of the returns' old statistics with each new batch"
    )


class PPOLearner(OnPolicyLearner):
    """MAPPO and IPPO (arXiv:2103.01955, appendix A; PPO: arXiv:1707.06347, eq. 7).

    Each agent's probability ratio meets its own advantage, by GAE over its value V_i; an episode that was cut off is
    bootstrapped from its last observation. Departs from it in: whole episodes are unrolled instead of chunks of 10
    steps, and minibatches are of whole episodes; the statistics of returns follow once for each batch that is
    collected; agents that can do nothing count as others do (their policies have no gradient).
    """

    Settings = PPOLearnerSettings
    policy_kind = ("action probabilities", "action densities")
    critic_values = "states"
    extras = ("log_prob",)

    def __init__(self, settings: PPOLearnerSettings, *, device: torch.device, **parts: Any) -> None:
        super().__init__(settings, device=device, **parts)
        self.value_norm = ValueNorm(settings.value_norm_decay, device)
        self.keep(value_norm=self.value_norm)

    @torch.no_grad()
    def prepare(self, episodes: Episodes) -> Episodes:
        """What all epochs learn from: `advantage`, `old_value` and `value_target`, [B, T, N] each."""
        settings, mask = self.settings, episodes.mask.unsqueeze(-1)
        value = self.critic(episodes)  # [B, T+1, N], as the critic has it
        if settings.normalise_values:
            value = self.value_norm.denormalise(value)
        before, after = value[:, :-1], value[:, 1:]
        advantage = gae(
            episodes.reward,
            before,
            after,
            episodes.terminated,
            episodes.mask,
            settings.gamma,
            settings.gae_lambda,
        )
        target = advantage + before
        if settings.normalise_values:
            self.value_norm.update(target, mask)
            before, target = self.value_norm.normalise(before), self.value_norm.normalise(target)
        if settings.normalise_advantages:
            real = advantage[mask.expand_as(advantage)]
            advantage = (advantage - real.mean()) / real.std(correction=0).clamp(min=SMALLEST_STD)
        return episodes.with_extras(advantage=advantage, old_value=before, value_target=target)

    def step(self, batch: Episodes) -> Metrics:
        """One update from a prepared minibatch."""
        return self.minimise("critic", self.critic_loss(batch)) | self.minimise(
            "actor", self.actor_loss(batch)
        )

    def actor_loss(self, episodes: Episodes) -> Loss:
        """-mean min(ratio A, clip(ratio) A) - entropy_coef H, over agents and real steps."""
        mask, epsilon = episodes.mask.unsqueeze(-1), self.settings.clip_range
        values = self.policy.unroll(self.policy.inputs(episodes), episodes)[:, :-1]
        decision = self.policy.decide(values, episodes.available_actions[:, :-1])
        change = decision.log_prob(episodes.actions) - episodes.extras["log_prob"]  # [B, T, N]
        ratio = change.exp()
        gain = clipped_gain(ratio, episodes.extras["advantage"], epsilon)
        entropy = masked_mean(decision.entropy(), mask)
        loss = -masked_mean(gain, mask) - self.settings.entropy_coef * entropy
        metrics: Metrics = {
            "entropy": entropy.detach(),
            "clipped_share": masked_mean(((ratio.detach() - 1).abs() > epsilon).float(), mask),
            "approx_kl": masked_mean((ratio - 1 - change).detach(), mask),
        }
        return Loss(loss, metrics)

    def critic_loss(self, episodes: Episodes) -> Loss:
        """The larger of the errors of V and of V clipped about its old value, mean over agents and real steps."""
        mask, limit = episodes.mask.unsqueeze(-1), self.settings.value_clip_range
        old, target = episodes.extras["old_value"], episodes.extras["value_target"]
        value = self.critic(episodes)[:, :-1]
        error = self.error(value, target)
        if limit is not None:
            clipped = old + (value - old).clamp(-limit, limit)
            error = torch.maximum(error, self.error(clipped, target))
        return Loss(masked_mean(error, mask), {"value_mean": masked_mean(value.detach(), mask)})

    def error(self, value: Tensor, target: Tensor) -> Tensor:
        """Half the squared error, or Huber's."""
        if self.settings.huber_delta is None:
            return 0.5 * (value - target).square()
        return F.huber_loss(value, target, reduction="none", delta=self.settings.huber_delta)
