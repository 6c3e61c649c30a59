"""What learners of categorical actors and a critic share, taught from replayed steps; and Adam for both."""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.seeding import generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner
from cohort.learners.optimisers import Adam
from cohort.learners.targets import SoftTargetSettings, TargetRule
from cohort.settings import Settings


class CategoricalActorsSettings(SoftTargetSettings, DiscountSettings):
    """What every such learner is told."""


class CategoricalActorsLearner(Learner):
    """An actor for each agent and a critic, both with targets that follow softly.

    Agents may have one reward or their own. `terminated` ends a value, a cut episode does not.
    """

    parts = ("critic",)
    policy_kind = "action probabilities"
    weights = "own"
    recurrent = False
    learns_from = "steps"

    def __init__(
        self,
        settings: CategoricalActorsSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
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

    def target_rules(self, settings: Any) -> dict[str, TargetRule]:
        """Which networks have copies, and how those follow."""
        return dict.fromkeys(("policy", "critic"), settings.target_rule)

    def one_hot(self, actions: Tensor) -> Tensor:
        """[B, N] int64 -> [B, N, A], as the critic reads them."""
        return F.one_hot(actions, self.n_actions).to(self.critic_parameters[0].dtype)


class AdamSettings(Settings):
    critic_lr: float = Field(ge=0, description="learning rate of the critic's Adam")
    actor_lr: float = Field(ge=0, description="learning rate of the actors' Adam")
    optim_eps: float = Field(gt=0, description="Adam's term for numerical stability")
    critic_weight_decay: float = Field(ge=0, description="weight decay in the critic's gradient")
    critic_grad_norm_clip: float = Field(
        gt=0, description="largest norm of the critic's gradient, for each agent: N times this in all"
    )
    actor_grad_norm_clip: float = Field(gt=0, description="largest norm of each actor's gradient")


def add_adam_losses(
    learner: CategoricalActorsLearner, settings: AdamSettings, *, fused: bool | None = None
) -> None:
    """Let the losses `critic` and `actor` step by an Adam each; `fused` is torch's, the step in one kernel."""
    learner.add_loss(
        "critic",
        learner.critic_parameters,
        Adam(
            learner.critic_parameters,
            lr=settings.critic_lr,
            eps=settings.optim_eps,
            weight_decay=settings.critic_weight_decay,
            fused=fused,
        ),
        grad_norm_clip=settings.critic_grad_norm_clip * learner.n_agents,
    )
    learner.add_loss(
        "actor",
        learner.actor_parameters,
        Adam(learner.actor_parameters, lr=settings.actor_lr, eps=settings.optim_eps, fused=fused),
        grad_norm_clip=settings.actor_grad_norm_clip,
        per_agent=True,
    )
