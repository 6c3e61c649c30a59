"""DOP: policies follow the advantages of a linearly mixed critic, which learns from old episodes and recent ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.distributions import Categorical
from cohort.components.episodes import Episodes
from cohort.components.functional import counterfactual_advantage, taken
from cohort.components.mixed_batch import MixedBatch
from cohort.components.packing import Packing
from cohort.components.returns import td_lambda_returns, tree_backup_returns
from cohort.components.seeding import generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.factored.rewards import refuse_own_rewards
from cohort.learners.optimisers import RMSprop
from cohort.learners.targets import HardUpdate


class DOPLearnerSettings(DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of the policy's RMSprop")
    critic_lr: float = Field(gt=0, description="learning rate of the RMSprop of critic and mixer")
    optim_alpha: float = Field(ge=0, lt=1, description="RMSprop's smoothing of squared gradients")
    optim_eps: float = Field(gt=0, description="RMSprop's term for numerical stability")
    grad_norm_clip: float = Field(
        gt=0, description="largest norm of the policy's gradient, and of the gradient of critic and mixer"
    )
    td_lambda: float = Field(ge=0, le=1, description="lambda of the returns of recent episodes")
    tree_lambda: float = Field(ge=0, le=1, description="lambda of the tree backup of replayed episodes")
    tree_steps: int = Field(ge=1, description="errors that enter a tree backup")
    epsilon_in_policy: bool = Field(
        description="agents learn as they explore: epsilon's uniform actions are part of the policy that is improved"
    )
    critic_updates: int = Field(
        ge=1,
        description="steps of the critic for each step of the policy, each on its share of the batch's steps",
    )
    target_update_updates: int = Field(
        ge=1, description="updates between two copies into the targets of critic and mixer"
    )


@dataclass(frozen=True)
class Moments:
    """The P real moments of some episodes, and what the policy that is improved would do there."""

    episodes: Episodes
    packing: Packing
    obs: Tensor  # [P, N, O]
    state: Tensor  # [P, S]
    decision: Categorical  # [P, N, A]

    @property
    def steps(self) -> tuple[Tensor, Tensor, Tensor]:
        """Before each step, and what was done: obs [R, N, O], state [R, S], actions [R, N]."""
        packing = self.packing
        before = packing.before_steps(self.obs), packing.before_steps(self.state)
        return *before, packing.of_steps(self.episodes.actions)


class DOPLearner(Learner):
    """DOP for discrete actions (arXiv:2007.12322; its authors' code).

    Q_tot(s, a) = sum_i k_i(s) Q_i(s, o_i, a_i). Targets of replayed episodes are tree backups of `tree_steps` steps,
    those of recent ones TD(lambda) returns of the actions that followed, all of target networks. Each policy follows
    k_i (Q_i(a_i) - sum_a pi_i(a) Q_i(a)) on the latest episodes.

    With `epsilon_in_policy` the policy that is valued and improved is the mixture (1 - epsilon) pi + epsilon uniform,
    as published, else pi. Each agent's score is weighted by its chance over the one that the action had when it was
    played.

    Departs from it in: the critic's steps for each update are `critic_updates` random shares of all time steps, where
    the authors' code takes one for each time index, from the first to the last; scores are weighted, where the
    authors' code takes the latest episodes for on-policy; where an episode was cut off, the mean over what might
    follow stands for an action that was drawn; unavailable actions are masked before the softmax.
    """

    Settings = DOPLearnerSettings
    parts = ("critic", "mixer")
    policy_kind = "action probabilities"
    critic_values = "utilities in states"
    extras = ("log_prob",)
    provides = ("mixed_batches",)
    requires_of_trainer = ("mixed_batches",)
    requires_of_mixer = ("weights",)

    def __init__(
        self,
        settings: DOPLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what the factories make stand on `device`; `seed` feeds the division of batches."""
        refuse_own_rewards(spec)
        networks = {"policy": policy, "critic": make_critic(), "mixer": make_mixer()}
        rule = HardUpdate(settings.target_update_updates, "updates")
        super().__init__(settings, networks, {"critic": rule, "mixer": rule})
        self.policy = policy
        self.generator = generator(seed, "critic shares", device)
        self.keep(generator=self.generator)
        for name, moved, rate in (
            ("critic", ("critic", "mixer"), settings.critic_lr),
            ("actor", ("policy",), settings.lr),
        ):
            rmsprop = partial(RMSprop, lr=rate, alpha=settings.optim_alpha, eps=settings.optim_eps)
            self.add_networks_loss(name, moved, rmsprop, grad_norm_clip=settings.grad_norm_clip)

    def step(self, batch: MixedBatch) -> Metrics:
        metrics: Metrics = {}
        rows = self.critic_rows(batch)
        order = torch.randperm(len(rows[0]), generator=self.generator, device=rows[0].device)
        for chosen in order.chunk(self.settings.critic_updates):
            metrics = self.minimise("critic", self.critic_loss(*(each[chosen] for each in rows)))
        return metrics | self.minimise("actor", self.actor_loss(batch.latest))

    def moments(self, episodes: Episodes) -> Moments:
        """With a gradient to the policy, if one is wanted."""
        packing = Packing.of(episodes.length, episodes.actions.shape[1])
        values = self.policy.unroll_packed(self.policy.packed_inputs(episodes, packing), packing)
        decision = self.policy.decide(values, packing.of_moments(episodes.available_actions))
        if self.settings.epsilon_in_policy:
            decision = self.policy.action_selector.behaviour(decision, self.t_env)
        return Moments(
            episodes, packing, packing.of_moments(episodes.obs), packing.of_moments(episodes.state), decision
        )

    # --- the critic

    @torch.no_grad()
    def critic_rows(self, batch: MixedBatch) -> tuple[Tensor, ...]:
        """All real steps of both batches: obs [R, N, O], state [R, S], actions [R, N] and targets [R, 1]."""
        parts = []
        for episodes, targets_of in (
            (batch.replayed, self.tree_backup_targets),
            (batch.recent, self.td_lambda_targets),
        ):
            moments = self.moments(episodes)
            parts.append((*moments.steps, moments.packing.of_steps(targets_of(moments))))
        return tuple(map(torch.cat, zip(*parts, strict=True)))

    def tree_backup_targets(self, moments: Moments) -> Tensor:
        """[B, T, 1]."""
        episodes, packing, settings = moments.episodes, moments.packing, self.settings
        value, next_value = self.target_values(moments)
        actions = packing.of_steps(episodes.actions)
        log_probs = taken(packing.before_steps(moments.decision.log_probs), actions)  # [R, N]
        return tree_backup_returns(
            episodes.reward,
            episodes.terminated,
            value,
            next_value,
            packing.padded(log_probs.sum(dim=-1, keepdim=True).exp()),
            episodes.mask,
            settings.gamma,
            settings.tree_lambda,
            settings.tree_steps,
        )

    def td_lambda_targets(self, moments: Moments) -> Tensor:
        """[B, T, 1]."""
        episodes, settings = moments.episodes, self.settings
        value, expected = self.target_values(moments)
        follows = torch.cat([episodes.mask[:, 1:], torch.zeros_like(episodes.mask[:, :1])], dim=1)
        next_value = torch.where(follows.unsqueeze(-1), value.roll(-1, dims=1), expected)
        return td_lambda_returns(
            episodes.reward,
            episodes.terminated,
            next_value,
            episodes.mask,
            settings.gamma,
            settings.td_lambda,
        )

    def target_values(self, moments: Moments) -> tuple[Tensor, Tensor]:
        """Q_tot of the target networks for what was done, and E_pi Q_tot one step later: [B, T, 1] both."""
        packing, decision = moments.packing, moments.decision
        utilities = self.targets["critic"](moments.obs, moments.state)  # [P, N, A]
        _, state, actions = moments.steps
        joint = self.targets["mixer"](taken(packing.before_steps(utilities), actions), state)
        means = (decision.log_probs.exp() * utilities).sum(dim=-1)  # [P, N]
        expected = self.targets["mixer"](means, moments.state)
        return packing.padded(joint), packing.padded(packing.after_steps(expected))

    def critic_loss(self, obs: Tensor, state: Tensor, actions: Tensor, target: Tensor) -> Loss:
        """Of rows [R, N, O], [R, S], [R, N], [R, 1]."""
        joint = self.networks["mixer"](taken(self.networks["critic"](obs, state), actions), state)
        error = joint - target
        metrics: Metrics = {
            "td_error_abs": error.detach().abs().mean(),
            "q_taken_mean": joint.detach().mean(),
            "target_mean": target.mean(),
        }
        return Loss(error.square().mean(), metrics)

    # --- the policies

    def actor_loss(self, episodes: Episodes) -> Loss:
        """-mean over agents and real steps of k_i (Q_i(a_i) - E_pi Q_i) pi(a_i) / mu(a_i).

        mu(a_i) is the chance that stands in the record, and pi(a_i) alone has a gradient.
        """
        moments = self.moments(episodes)
        packing, (obs, state, actions) = moments.packing, moments.steps
        log_probs = packing.before_steps(moments.decision.log_probs)  # [R, N, A]
        with torch.no_grad():
            utilities = self.networks["critic"](obs, state)
            advantage = counterfactual_advantage(utilities, log_probs.exp(), actions)
            advantage = advantage * self.networks["mixer"].weights(state)  # [R, N]
        change = taken(log_probs, actions) - packing.of_steps(episodes.extras["log_prob"])
        metrics: Metrics = {
            "entropy": packing.before_steps(moments.decision.entropy().detach()).mean(),
            "advantage_std": advantage.std(correction=0),
            "ratio_max": change.detach().max().exp(),
        }
        return Loss(-(change.exp() * advantage).mean(), metrics)
