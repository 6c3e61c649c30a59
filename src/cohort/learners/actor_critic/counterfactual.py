"""What the learners on an attention critic share: targets, decisions at replayed observations, advantages."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.components.functional import counterfactual_advantage, masked_log_softmax, sampled_actions, taken
from cohort.components.seeding import generator
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner
from cohort.learners.targets import SoftTargetSettings, TargetRule
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


class CounterfactualSettings(SoftTargetSettings, DiscountSettings):
    """What every learner on an attention critic is told."""


class CounterfactualLearner(Learner):
    """Categorical actors, and a critic that values each of their actions while the others' are given.

    Agents may have one reward or their own. `terminated` ends a value, a cut episode does not.
    """

    parts = ("critic",)
    policy_kind = "action probabilities"
    critic_values = "actions at once"
    weights = "own"
    recurrent = False
    learns_from = "steps"

    def __init__(
        self,
        settings: CounterfactualSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., AttentionCritic],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what `make_critic()` makes stand on `device`; `seed` feeds the actions drawn in updates."""
        networks = {"policy": policy, "critic": make_critic()}
        super().__init__(settings, networks, self.target_rules(settings))
        self.policy, self.critic = policy, networks["critic"]
        self.n_agents, self.n_actions = spec.n_agents, spec.n_actions
        self.actor_parameters = list(policy.parameters())
        self.critic_parameters = list(self.critic.parameters())
        self.generator = generator(seed, "policy samples", device)
        self.keep(generator=self.generator)

    def target_rules(self, settings: CounterfactualSettings) -> dict[str, TargetRule]:
        """Which networks have copies, and how those follow."""
        return dict.fromkeys(("policy", "critic"), settings.target_rule)

    def one_hot(self, actions: Tensor) -> Tensor:
        """[B, N] int64 -> [B, N, A], as the critic reads them."""
        return F.one_hot(actions, self.n_actions).to(self.critic_parameters[0].dtype)

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
