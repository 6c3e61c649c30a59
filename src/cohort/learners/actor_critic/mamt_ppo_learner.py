"""MAMT-PPO: MAMT on policy, with PPO's clipped ratio in place of mirror descent."""

import dataclasses
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import clipped_gain, entropy, kl_divergence, masked_log_softmax, taken
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.actor_critic.counterfactual import Decisions
from cohort.learners.actor_critic.mamd_learner import Standing
from cohort.learners.actor_critic.mamt_learner import MAMTLearner, MAMTLearnerSettings
from cohort.learners.actor_critic.reward_norm import RewardNorm
from cohort.learners.base import Loss
from cohort.learners.targets import OnRequest, TargetRule


class MAMTPPOLearnerSettings(MAMTLearnerSettings):
    clip_range: float = Field(gt=0, description="epsilon: ratios beyond 1 +- epsilon bring nothing more")
    normalise_rewards: bool = Field(
        description="learners read rewards less their mean, over their deviation, of all that were played"
    )


class MAMTPPOLearner(MAMTLearner):
    """MAMT-PPO (Dealing with Non-Stationarity in MARL via Trust-Region Decomposition, ICLR 2022, appendix H).

    Actor i climbs the mean of min(ratio A_i, clip(ratio) A_i) - KL(pi_i^old || pi_i) / delta_i over what was played,
    ratio = pi_i(a_i | o_i) / pi_i^old(a_i | o_i) and pi^old the policies that played. Critic, coordination, modelling
    policies, TRD-Net and trust regions are MAMT's, learned from the same steps. The paper says no more than that PPO
    replaces mirror descent; the rest of this is ours.
    """

    Settings = MAMTPPOLearnerSettings
    learns_from = "episodes"
    provides = ("prepare",)

    def __init__(
        self,
        settings: MAMTPPOLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        device: torch.device,
        **parts: Any,
    ) -> None:
        """Raises `ValueError` where agents see what they did before."""
        if policy.settings.obs_last_action:
            raise ValueError("mamt_ppo learns from single steps of its episodes: obs_last_action=False")
        super().__init__(settings, spec=spec, policy=policy, device=device, **parts)
        self.reward_norm = RewardNorm(None if spec.common_reward else spec.n_agents, device)
        self.keep(reward_norm=self.reward_norm)

    def target_rules(self, settings: MAMTPPOLearnerSettings) -> dict[str, TargetRule]:
        return {**super().target_rules(settings), "old_policy": OnRequest(of="policy")}

    def prepare(self, episodes: Episodes) -> Episodes:
        """The episodes that were just played, their rewards standardised; who played them is the old policy now."""
        self.targets.renew("old_policy")
        if not self.settings.normalise_rewards:
            return episodes
        self.reward_norm.update(episodes.reward[episodes.mask])
        rewards = self.reward_norm.normalise(episodes.reward)
        real = episodes.mask.view(*episodes.mask.shape, *[1] * (rewards.dim() - 2))
        return dataclasses.replace(episodes, reward=torch.where(real, rewards, 0.0))

    def step(self, batch: Episodes) -> Metrics:
        """One update from prepared episodes, whose steps come in random order: coordination sees the first of them."""
        steps = batch.transitions()
        order = torch.randperm(steps.batch_size, generator=self.generator, device=steps.reward.device)
        return super().step(steps.rows(order))

    def decisions(self, batch: Transitions) -> Decisions:
        logits = self.policy(batch.obs)
        return Decisions(logits, masked_log_softmax(logits, batch.available_actions), batch.actions)

    def held_divergence(self, standing: Standing) -> Tensor:
        return kl_divergence(standing.old_log_probs, standing.decisions.log_probs)

    def held_actor_loss(self, standing: Standing) -> Loss:
        decisions, epsilon = standing.decisions, self.settings.clip_range
        ratio = (decisions.chosen - taken(standing.old_log_probs, decisions.actions)).exp()
        gain = clipped_gain(ratio, standing.advantages, epsilon)
        moved = self.held_divergence(standing) / self.trust_regions.detach()
        free = entropy(decisions.log_probs)
        bonus = torch.where(self.entropic, free / self.settings.reward_scale, 0.0)
        objective = (gain + bonus - torch.where(self.constrained, moved, 0.0)).mean(dim=0)
        penalty = self.settings.policy_penalty * decisions.logits.square().mean(dim=(0, 2))
        loss = (penalty - objective).sum()
        metrics: Metrics = {
            "actor_loss": loss.detach(),
            "entropy": free.detach().mean(),
            "clipped_share": ((ratio.detach() - 1).abs() > epsilon).float().mean(),
        }
        return Loss(loss, metrics)
