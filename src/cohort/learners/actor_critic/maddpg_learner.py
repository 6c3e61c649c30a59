"""Single-critic MADDPG: deterministic actors climb one critic that the team shares."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.curvature import largest_eigenvalue
from cohort.components.episodes import Episodes
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.actor_critic.rates import Rates
from cohort.learners.base import DiscountSettings, Learner
from cohort.learners.targets import HardTargetSettings

SATURATED = 0.98  # beyond it tanh passes on less than a 25th of a gradient


class MADDPGLearnerSettings(HardTargetSettings, DiscountSettings):
    critic_lr: float = Field(ge=0, description="l_c, learning rate of the critic")
    actor_lr_norm: float = Field(
        ge=0, description="n_a, length of the vector of the actors' rates: each begins at n_a / sqrt(N)"
    )
    mask_horizon: bool = Field(description="no value follows the last step of an episode that was cut off")
    curvature_steps: int = Field(
        ge=0, description="most Hessian-vector products for the critic's curvature, at each log line; 0: none"
    )
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

    delta = mean (Q(o, a) - r - gamma Q-(o', pi-(o')))^2 is minimised, J = mean Q(o, pi(o)) maximised by every actor at
    once: one backward pass gives all their gradients. Episodes of these tasks end by their time limit alone, which does
    not end the value (`mask_horizon: True` does).
    """

    Settings = MADDPGLearnerSettings
    parts = ("critic",)
    policy_kind = "continuous actions"
    critic_values = "joint actions"
    weights = "own"
    recurrent = False
    learns_from = "steps"

    def __init__(
        self,
        settings: MADDPGLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what `make_critic()` makes stand on `device`; nothing here draws from `seed`."""
        if not spec.common_reward:
            raise ValueError(
                "one critic learns the value of one reward, and here every agent has a reward of its own: "
                "give the environment a common reward, or choose another algorithm"
            )
        networks = {"policy": policy, "critic": make_critic()}
        super().__init__(settings, networks, dict.fromkeys(networks, settings.target_rule))
        self.policy, self.critic = policy, networks["critic"]
        self.actor_parameters = list(policy.parameters())
        self.critic_parameters = list(self.critic.parameters())
        self.rates = self.make_rates(spec.n_agents, device)
        self.keep(rates=self.rates)
        self.latest: Transitions | None = None  # the batch of this session's latest update
        # what is recorded hands no graph over
        self._of_critic = (
            self.critic_gradient if self.needs_replayed_value else self.recorded(self.critic_gradient)
        )
        self._of_actors = self.recorded(self.actor_gradient)

    def make_rates(self, n_agents: int, device: torch.device) -> Rates:
        return Rates(self.settings.critic_lr, self.settings.actor_lr_norm, n_agents, device)

    def step(self, batch: Transitions) -> Metrics:
        self.latest = batch
        critic, actors = self._of_critic(batch), self._of_actors(batch)
        metrics = self.adapt_magnitude(critic, actors)
        if self.settings.step_order == "sequential":
            self.step_critic(critic.gradient)
            actors = self._of_actors(batch)
        metrics |= self.adapt_direction(batch, actors)
        if self.settings.step_order == "simultaneous":
            self.step_critic(critic.gradient)
        self.step_actors(actors.gradient)
        return {
            "critic_loss": critic.loss,
            "q_taken_mean": critic.value.detach(),
            "q_policy_mean": actors.value,
            **metrics,
            **self.rates.metrics(),
        }

    def critic_gradient(self, batch: Transitions) -> CriticGradient:
        """delta and its gradient on the critic."""
        loss, value = self.critic_loss(batch)
        gradient = torch.autograd.grad(loss, self.critic_parameters, retain_graph=self.needs_replayed_value)
        return CriticGradient(loss.detach(), gradient, value.mean())

    def critic_loss(self, batch: Transitions) -> tuple[Tensor, Tensor]:
        """delta, and Q over the replayed actions [B], both with their graph."""
        with torch.no_grad():
            next_actions = self.targets["policy"](batch.next_obs)
            next_value = self.targets["critic"](batch.next_obs, next_actions)
            over = batch.terminated | batch.truncated if self.settings.mask_horizon else batch.terminated
            target = batch.reward + self.settings.gamma * next_value.masked_fill(over, 0.0)
        value = self.critic(batch.obs, batch.actions)
        return (value - target).square().mean(), value

    def diagnostics(self, episodes: Episodes) -> Metrics:
        """Why it may not learn, over the latest batch.

        `actions_saturated` is the share of the policies' action dimensions at their border, where actors are stuck: a
        gradient hardly passes tanh there. `critic_curvature` is the largest eigenvalue of delta's Hessian on the
        critic, `critic_lr_curvature` l_c times it: gradient descent at a fixed rate is stable where that is below 2.
        """
        if self.latest is None:
            return {}
        with torch.no_grad():
            actions = self.policy(self.latest.obs)
        found: Metrics = {"actions_saturated": (actions.abs() > SATURATED).float().mean()}
        if self.settings.curvature_steps:
            loss, _ = self.critic_loss(self.latest)
            curvature = largest_eigenvalue(loss, self.critic_parameters, steps=self.settings.curvature_steps)
            found |= {"critic_curvature": curvature} | self.sharpness(curvature)
        return found

    def sharpness(self, curvature: Tensor) -> Metrics:
        """The curvature in units of the critic's rate, where it has one rate for all parameters."""
        return {"critic_lr_curvature": self.rates.critic * curvature}

    needs_replayed_value = False
    """Whether a method differentiates `CriticGradient.value`."""

    def actor_gradient(self, batch: Transitions) -> ActorGradient:
        """J and its gradient on all actors."""
        value = self.critic(batch.obs, self.policy(batch.obs)).mean()
        return ActorGradient(value.detach(), torch.autograd.grad(value, self.actor_parameters))

    def adapt_magnitude(self, critic: CriticGradient, actors: ActorGradient) -> Metrics:
        """Where a method moves l_c and n_a; what to log about it."""
        return {}

    def adapt_direction(self, batch: Transitions, actors: ActorGradient) -> Metrics:
        """Where a method turns l_a, the critic being the one that `actors` is the gradient of; what to log about it."""
        return {}

    def step_critic(self, gradient: Sequence[Tensor]) -> None:
        """The critic's step."""
        self.rates.step_critic(self.critic_parameters, gradient)

    def step_actors(self, gradient: Sequence[Tensor]) -> None:
        """The actors' step."""
        self.rates.step_actors(self.actor_parameters, gradient)
