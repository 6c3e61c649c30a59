"""FACMAC: actors climb one critic that is mixed from a critic for each agent, all of them at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.distributions import Point
from cohort.components.episodes import Episodes
from cohort.components.functional import one_step_target
from cohort.components.returns import td_lambda_returns
from cohort.components.seeding import generator
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.factored.rewards import refuse_own_rewards
from cohort.learners.mixing import Networks, refuse_other_mixer
from cohort.learners.optimisers import Adam
from cohort.learners.packed import PackedEpisodes
from cohort.learners.targets import HardTargetSettings, SoftTargetSettings
from cohort.learners.temporal_difference import temporal_difference


class FactoredActorSettings(DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of the actors' Adam")
    critic_lr: float = Field(gt=0, description="learning rate of the Adam of critic and mixer")
    optim_eps: float = Field(gt=0, description="Adam's term for numerical stability")
    grad_norm_clip: float = Field(
        gt=0, description="largest norm of the actors' gradient, and of the gradient of critic and mixer"
    )


class FACMACLearnerSettings(HardTargetSettings, FactoredActorSettings):
    td_lambda: float = Field(ge=0, le=1, description="lambda of the critic's targets: 0 looks one step ahead")


class StepsFACMACLearnerSettings(SoftTargetSettings, FactoredActorSettings):
    action_penalty: float = Field(ge=0, description="weight of the mean squared action in the actors' loss")


class ContinuousFACMACLearnerSettings(StepsFACMACLearnerSettings):
    td_lambda: float = Field(ge=0, le=1, description="lambda of the critic's targets: 0 looks one step ahead")


class FACMACLearner(Learner):
    """FACMAC for discrete actions, from whole episodes (arXiv:2003.06709, sections 4.1 and 4.2; its authors' code).

    Q_tot(s, a) = f(s; Q_1(o_1, a_1), ..., Q_N(o_N, a_N)) follows TD(lambda) returns of the target critic at the greedy
    actions of the target actors. Then the actors climb Q_tot at the actions that all of them would take now: samples
    whose gradient passes straight through.
    """

    Settings = FACMACLearnerSettings
    parts = ("critic", "mixer")
    policy_kind = "action probabilities"
    critic_values = "action utilities"

    def __init__(
        self,
        settings: Any,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what the factories make stand on `device`; `seed` feeds the samples that actors learn from."""
        refuse_own_rewards(spec)
        networks = {"policy": policy, "critic": make_critic(), "mixer": make_mixer()}
        refuse_other_mixer(networks["mixer"], ("utilities", "state"))
        super().__init__(settings, networks, dict.fromkeys(networks, settings.target_rule))
        self.policy, self.n_actions = policy, spec.n_actions
        self.generator = generator(seed, "policy samples", device)
        self.keep(generator=self.generator)
        for name, moved, rate in (
            ("critic", ("critic", "mixer"), settings.critic_lr),
            ("actor", ("policy",), settings.lr),
        ):
            adam = partial(Adam, lr=rate, eps=settings.optim_eps, fused=True)
            self.add_networks_loss(name, moved, adam, grad_norm_clip=settings.grad_norm_clip)

    def step(self, batch: Episodes) -> Metrics:
        packed = PackedEpisodes.of(batch, self.policy)
        metrics = self.minimise("critic", self.critic_loss(packed))
        return metrics | self.minimise("actor", self.actor_loss(packed))

    def critic_loss(self, batch: PackedEpisodes) -> Loss:
        packing, episodes = batch.packing, batch.episodes
        actions = self.as_read(packing.of_steps(episodes.actions))
        joint = self.joint(self.networks, batch.obs_before, actions, batch.states_before)
        with torch.no_grad():
            values = packing.after_steps(self.targets["policy"].unroll_packed(batch.inputs, packing))
            decision = self.policy.decide(values, packing.after_steps(batch.available_actions))
            next_joint = self.joint(
                self.targets, packing.after_steps(batch.obs), self.as_read(decision.mode), batch.states_after
            )
            target = td_lambda_returns(
                episodes.reward,
                episodes.terminated,
                packing.padded(next_joint),
                episodes.mask,
                self.settings.gamma,
                self.settings.td_lambda,
            )
        return temporal_difference(packing.padded(joint), target, episodes.mask.unsqueeze(-1))

    def actor_loss(self, batch: PackedEpisodes) -> Loss:
        packing = batch.packing
        values = packing.before_steps(self.policy.unroll_packed(batch.inputs, packing))
        decision = self.policy.decide(values, packing.before_steps(batch.available_actions))
        return self.climb(decision, batch.obs_before, batch.states_before)

    @staticmethod
    def joint(networks: Networks, obs: Tensor, actions: Tensor, state: Tensor) -> Tensor:
        """Q_tot of rows: [R, N, O], [R, N, A or U], [R, S] -> [R, J]."""
        return networks["mixer"](networks["critic"](obs, actions), state)

    def as_read(self, actions: Tensor) -> Tensor:
        """Actions as the critic reads them, rows with a single 1: [R, N] int64 -> [R, N, A]."""
        return F.one_hot(actions, self.n_actions).to(torch.get_default_dtype())

    def climb(self, decision: Any, obs: Tensor, state: Tensor) -> Loss:
        """-mean Q_tot of what the actors would do in R rows: R decisions of N agents, [R, N, O], [R, S]."""
        actions = decision.straight_through(self.generator)
        value = self.joint(self.networks, obs, actions, state).mean()
        return Loss(-value, {"q_policy_mean": value.detach(), "entropy": decision.entropy().detach().mean()})


class ContinuousFACMACLearner(FACMACLearner):
    """FACMAC for continuous actions, from whole episodes: recurrent deterministic actors.

    The actors' own actions stand in place of samples, and large ones cost something.
    """

    Settings = ContinuousFACMACLearnerSettings
    policy_kind = "continuous actions"

    def as_read(self, actions: Tensor) -> Tensor:
        """As they are: [R, N, U]."""
        return actions

    def climb(self, decision: Point, obs: Tensor, state: Tensor) -> Loss:
        actions = decision.mode
        value = self.joint(self.networks, obs, actions, state).mean()
        size = actions.square().mean()
        return Loss(
            self.settings.action_penalty * size - value,
            {"q_policy_mean": value.detach(), "action_square_mean": size.detach()},
        )


class StepsFACMACLearner(ContinuousFACMACLearner):
    """FACMAC for continuous actions, from single steps: actors without a memory, one-step targets."""

    Settings = StepsFACMACLearnerSettings
    recurrent = False
    learns_from = "steps"

    def __init__(self, settings: Any, **parts: Any) -> None:
        super().__init__(settings, **parts)
        self._of_critic = self.recorded_descents(lambda batch: {"critic": self.critic_loss(batch)})
        self._of_actor = self.recorded_descents(lambda batch: {"actor": self.actor_loss(batch)})

    def step(self, batch: Transitions) -> Metrics:
        metrics = self.descend(self._of_critic(batch))
        return metrics | self.descend(self._of_actor(batch))

    def critic_loss(self, batch: Transitions) -> Loss:
        joint = self.joint(self.networks, batch.obs, batch.actions, batch.state)  # [B, 1]
        with torch.no_grad():
            next_actions = self.targets["policy"](batch.next_obs)
            next_joint = self.joint(self.targets, batch.next_obs, next_actions, batch.next_state)
            target = one_step_target(batch.reward, batch.terminated, next_joint, self.settings.gamma)
        everywhere = torch.ones_like(batch.terminated).unsqueeze(-1)
        return temporal_difference(joint, target, everywhere)

    def actor_loss(self, batch: Transitions) -> Loss:
        return self.climb(Point(self.policy(batch.obs)), batch.obs, batch.state)
