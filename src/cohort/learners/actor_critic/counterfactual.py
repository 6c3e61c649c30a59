"""What the learners on an attention critic share: targets, decisions at replayed observations, advantages."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.functional import counterfactual_advantage, masked_log_softmax, sampled_actions, taken
from cohort.components.seeding import generator
from cohort.components.transitions import Transitions
from cohort.controllers.categorical import CategoricalController
from cohort.envs.base import EnvSpec
from cohort.learners.base import SoftLearner, SoftLearnerSettings
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


class CounterfactualLearner(SoftLearner):
    """Categorical actors, and a critic that values each of their actions while the others' are given.

    Agents may have one reward or their own. `terminated` ends a value, a cut episode does not.
    """

    parts = ("critic",)
    policy = "action probabilities"
    learns_from = "transitions"

    def __init__(
        self,
        settings: SoftLearnerSettings,
        *,
        spec: EnvSpec,
        controller: CategoricalController,
        critic: AttentionCritic,
        device: torch.device,
        seed: int,
    ) -> None:
        """`controller` and `critic` stand on `device`; actions in updates are drawn from a stream of `seed`."""
        super().__init__(settings, nn.ModuleDict({"controller": controller, "critic": critic}))
        self.controller, self.critic = controller, critic
        self.n_agents, self.n_actions = spec.n_agents, spec.n_actions
        self.actor_parameters = list(controller.parameters())
        self.critic_parameters = list(critic.parameters())
        self.generator = generator(seed, "policy samples", device)

    def one_hot(self, actions: Tensor) -> Tensor:
        """[B, N] int64 -> [B, N, A], as the critic reads them."""
        return F.one_hot(actions, self.n_actions).to(self.critic_parameters[0].dtype)

    def decide(self, controller: CategoricalController, obs: Tensor, available_actions: Tensor) -> Decisions:
        """The policies at a batch of observations [B, N, O], and an action from each of them."""
        logits = controller(obs)
        log_probs = masked_log_softmax(logits, available_actions)
        return Decisions(logits, log_probs, sampled_actions(log_probs.detach().exp(), self.generator))

    @torch.no_grad()
    def next_values(self, batch: Transitions) -> tuple[Tensor, Tensor]:
        """Target values Q-_i(o', a') of actions from the target policies, and log pi-_i(a'_i | o'_i): [B, N] each."""
        after = self.decide(self.targets["controller"], batch.next_obs, batch.next_available_actions)
        values = self.targets["critic"](batch.next_obs, self.one_hot(after.actions)).values
        return taken(values, after.actions), after.chosen

    @torch.no_grad()
    def advantages(self, obs: Tensor, decisions: Decisions, like: Tensor | None = None) -> Tensor:
        """A_i = Q_i(o, a) - sum_a' pi_i(a' | o_i) Q_i(o, (a', a_-i)) at the decisions: [B, N], constant."""
        values = self.critic(obs, self.one_hot(decisions.actions), like).values
        return counterfactual_advantage(values, decisions.log_probs.exp(), decisions.actions)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.generator.set_state(state["generator"])
