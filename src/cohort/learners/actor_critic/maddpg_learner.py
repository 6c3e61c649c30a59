"""Single-critic MADDPG: deterministic actors climb one critic that the team shares."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.transitions import Transitions
from cohort.controllers.deterministic import DeterministicController
from cohort.envs.base import EnvSpec
from cohort.learners.actor_critic.rates import Rates
from cohort.learners.base import Learner, LearnerSettings


class MADDPGLearnerSettings(LearnerSettings):
    critic_lr: float = Field(ge=0, description="l_c, learning rate of the critic")
    actor_lr_norm: float = Field(
        ge=0, description="n_a, length of the vector of the actors' rates: each begins at n_a / sqrt(N)"
    )
    mask_horizon: bool = Field(description="no value follows the last step of an episode that was cut off")
    step_order: Literal["simultaneous", "sequential"] = Field(
        description="actors climb the critic as it was before its step, or after it"
    )


class CriticGradient(NamedTuple):
    """The critic's side of an update."""

    loss: Tensor  # delta, the mean squared TD error: a scalar
    gradient: Sequence[Tensor]  # g_d, one tensor for each of the critic's parameters
    value: Tensor  # mean of Q over the replayed actions, with its graph


class ActorGradient(NamedTuple):
    """The actors' side of an update, at one point of the parameters."""

    value: Tensor  # J, the mean of Q over the policies' actions: a scalar
    gradient: Sequence[Tensor]  # g_1 ... g_N stacked: [N, ...] for each of the actors' parameters
    critic_gradient: Sequence[Tensor] = ()  # g_Q = dJ / d phi, where a method asks for it
    actions: Tensor | None = None  # the policies' actions [B, N, U], likewise
    action_gradient: Tensor | None = None  # dJ / da [B, N, U], likewise


class MADDPGLearner(Learner):
    """MADDPG with one critic for a common reward (AdaMa, section 3.1; arXiv:1706.02275), at fixed rates by plain SGD.

    delta = mean (Q(o, a) - r - gamma Q-(o', pi-(o')))^2 is descended, J = mean Q(o, pi(o)) climbed by every actor at
    once: one backward pass gives all their gradients. Episodes of these tasks end by their time limit alone, which does
    not end the value (`mask_horizon: True` does).
    """

    Settings = MADDPGLearnerSettings
    parts = ("critic",)
    policy = "continuous actions"
    learns_from = "transitions"

    def __init__(
        self,
        settings: MADDPGLearnerSettings,
        *,
        spec: EnvSpec,
        controller: DeterministicController,
        critic: nn.Module,
        device: torch.device,
        seed: int,
    ) -> None:
        """`controller` and `critic` stand on `device`; nothing here draws from `seed`."""
        if not spec.common_reward:
            raise ValueError(
                "one critic learns the value of one reward, and here every agent has a reward of its own: "
                "give the environment a common reward, or choose another algorithm"
            )
        super().__init__(settings, nn.ModuleDict({"controller": controller, "critic": critic}))
        self.controller, self.critic = controller, critic
        self.actor_parameters = list(controller.parameters())
        self.critic_parameters = list(critic.parameters())
        self.rates = self.make_rates(spec.n_agents, device)

    def make_rates(self, n_agents: int, device: torch.device) -> Rates:
        return Rates(self.settings.critic_lr, self.settings.actor_lr_norm, n_agents, device)

    def step(self, batch: Transitions) -> Metrics:
        descent, ascent = self.descent(batch), self.ascent(batch)
        metrics = self.adapt_magnitude(descent, ascent)
        if self.settings.step_order == "sequential":
            self.descend(descent.gradient)
            ascent = self.ascent(batch)
        metrics |= self.adapt_direction(batch, ascent)
        if self.settings.step_order == "simultaneous":
            self.descend(descent.gradient)
        self.ascend(ascent.gradient)
        return {
            "critic_loss": descent.loss,
            "q_taken_mean": descent.value.detach(),
            "q_policy_mean": ascent.value,
            **metrics,
            **self.rates.metrics(),
        }

    def descent(self, batch: Transitions) -> CriticGradient:
        """delta and its gradient on the critic."""
        with torch.no_grad():
            next_actions = self.targets["controller"](batch.next_obs)
            next_value = self.targets["critic"](batch.next_obs, next_actions)
            over = batch.terminated | batch.truncated if self.settings.mask_horizon else batch.terminated
            target = batch.reward + self.settings.gamma * next_value.masked_fill(over, 0.0)
        value = self.critic(batch.obs, batch.actions)
        loss = (value - target).square().mean()
        gradient = torch.autograd.grad(loss, self.critic_parameters, retain_graph=self.needs_replayed_value)
        return CriticGradient(loss.detach(), gradient, value.mean())

    needs_replayed_value = False
    """Whether a method differentiates `CriticGradient.value`."""

    def ascent(self, batch: Transitions) -> ActorGradient:
        """J and its gradient on all actors."""
        value = self.critic(batch.obs, self.controller(batch.obs)).mean()
        return ActorGradient(value.detach(), torch.autograd.grad(value, self.actor_parameters))

    def adapt_magnitude(self, descent: CriticGradient, ascent: ActorGradient) -> Metrics:
        """Where a method moves l_c and n_a; what to log about it."""
        return {}

    def adapt_direction(self, batch: Transitions, ascent: ActorGradient) -> Metrics:
        """Where a method turns l_a, the critic being what `ascent` climbs; what to log about it."""
        return {}

    def descend(self, gradient: Sequence[Tensor]) -> None:
        """The critic's step."""
        self.rates.descend(self.critic_parameters, gradient)

    def ascend(self, gradient: Sequence[Tensor]) -> None:
        """The actors' step."""
        self.rates.ascend(self.actor_parameters, gradient)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "rates": self.rates.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.rates.load_state_dict(state["rates"])
