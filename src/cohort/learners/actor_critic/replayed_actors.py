"""What MADDPG and LOLA on DQN share: categorical actors and critics of their own, taught from replayed steps."""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.functional import one_step_target
from cohort.components.seeding import generator
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.targets import SoftTargetSettings


class ReplayedActorsSettings(SoftTargetSettings, DiscountSettings):
    critic_lr: float = Field(ge=0, description="learning rate of the critic's Adam")
    actor_lr: float = Field(ge=0, description="learning rate of the actors' Adam")
    optim_eps: float = Field(gt=0, description="Adam's term for numerical stability")
    critic_weight_decay: float = Field(ge=0, description="weight decay in the critic's gradient")
    critic_grad_norm_clip: float = Field(
        gt=0, description="largest norm of the critic's gradient, for each agent: N times this in all"
    )
    actor_grad_norm_clip: float = Field(gt=0, description="largest norm of each actor's gradient")
    policy_penalty: float = Field(ge=0, description="weight of each policy's mean squared logit")


class ReplayedActorsLearner(Learner):
    """Minimises the losses `critic` and `actor`, in this order; a method adds the values and the actors' step.

    Both networks have targets that follow softly. Agents may have one reward or their own; `terminated` ends a value,
    a cut episode does not.
    """

    parts = ("critic",)
    policy_kind = "action probabilities"
    weights = "own"
    recurrent = False
    learns_from = "steps"

    def __init__(
        self,
        settings: ReplayedActorsSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what `make_critic()` makes stand on `device`; `seed` feeds the actions drawn in updates."""
        networks = {"policy": policy, "critic": make_critic()}
        super().__init__(settings, networks, dict.fromkeys(networks, settings.target_rule))
        self.policy, self.critic, self.n_actions = policy, networks["critic"], spec.n_actions
        self.actor_parameters = list(policy.parameters())
        self.critic_parameters = list(self.critic.parameters())
        self.generator = generator(seed, "policy samples", device)
        self.keep(generator=self.generator)
        critic_adam = torch.optim.Adam(
            self.critic_parameters,
            lr=settings.critic_lr,
            eps=settings.optim_eps,
            weight_decay=settings.critic_weight_decay,
        )
        self.add_loss(
            "critic",
            self.critic_parameters,
            critic_adam,
            grad_norm_clip=settings.critic_grad_norm_clip * spec.n_agents,
        )
        self.add_loss(
            "actor",
            self.actor_parameters,
            torch.optim.Adam(self.actor_parameters, lr=settings.actor_lr, eps=settings.optim_eps),
            grad_norm_clip=settings.actor_grad_norm_clip,
            per_agent=True,
        )

    def one_hot(self, actions: Tensor) -> Tensor:
        """[B, N] int64 -> [B, N, A], as the critic reads them."""
        return F.one_hot(actions, self.n_actions).to(self.critic_parameters[0].dtype)

    def target(self, batch: Transitions, next_value: Tensor) -> Tensor:
        """y_i = r_i + gamma V_i(o'), [B, N], from the values of what follows, [B, N]."""
        return one_step_target(batch.reward, batch.terminated, next_value, self.settings.gamma)

    def temporal_difference(self, chosen: Tensor, target: Tensor) -> Loss:
        """The sum over agents of their mean squared errors: [B, N] twice."""
        loss = (chosen - target).square().mean(dim=0).sum()
        metrics: Metrics = {"q_taken_mean": chosen.detach().mean(), "target_mean": target.mean()}
        return Loss(loss, metrics)

    def logit_penalty(self, logits: Tensor) -> Tensor:
        """What large logits cost, all actors together: [B, N, A] -> a scalar."""
        return self.settings.policy_penalty * logits.square().mean(dim=(0, 2)).sum()
