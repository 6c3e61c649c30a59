"""What on-policy learners share: an actor and a critic, each stepped by an Adam of its own."""

from collections.abc import Callable, Mapping

import torch
from pydantic import Field
from torch import nn

from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner
from cohort.learners.optimisers import Adam
from cohort.learners.targets import TargetRule


class OnPolicySettings(DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of the policy's Adam")
    critic_lr: float = Field(gt=0, description="learning rate of the critic's Adam")
    optim_eps: float = Field(gt=0, description="Adam's term for numerical stability")
    grad_norm_clip: float = Field(
        gt=0, description="largest norm of the policy's gradient, and of the critic's"
    )
    entropy_coef: float = Field(ge=0, description="weight of the policies' entropy")


class OnPolicyLearner(Learner):
    """Minimises the losses `actor` and `critic`; a method adds `prepare` and `step`."""

    parts = ("critic",)
    provides = ("prepare",)

    def __init__(
        self,
        settings: OnPolicySettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_critic: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what `make_critic()` makes stand on `device`; `seed` feeds what a method draws."""
        networks = {"policy": policy, "critic": make_critic()}
        super().__init__(settings, networks, self.target_rules(settings))
        self.policy, self.critic = policy, networks["critic"]
        for name, network, lr in (
            ("actor", policy, settings.lr),
            ("critic", self.critic, settings.critic_lr),
        ):
            parameters = list(network.parameters())
            optimiser = Adam(parameters, lr=lr, eps=settings.optim_eps)
            self.add_loss(name, parameters, optimiser, grad_norm_clip=settings.grad_norm_clip)

    def target_rules(self, settings: OnPolicySettings) -> Mapping[str, TargetRule]:
        """Which networks have targets, and how those follow: none, unless a method says so."""
        return {}
