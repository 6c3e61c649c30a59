"""VDAC: every agent's policy follows one advantage, that of a joint value mixed from the agents' own values."""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.packing import Packing
from cohort.components.returns import td_lambda_returns
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.flat import FlatParameters
from cohort.learners.optimisers import RMSprop
from cohort.modules.mixers.simple import IndependentMixer


class VDACLearnerSettings(DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of the one RMSprop of policy, values and mixer")
    optim_alpha: float = Field(ge=0, lt=1, description="RMSprop's smoothing of squared gradients")
    optim_eps: float = Field(gt=0, description="RMSprop's term for numerical stability")
    grad_norm_clip: float = Field(gt=0, description="largest norm of the whole gradient")
    td_lambda: float = Field(ge=0, le=1, description="lambda of the returns that the joint value follows")
    value_coef: float = Field(gt=0, description="weight of the joint value's squared error")
    entropy_coef: float = Field(ge=0, description="weight of the policies' entropy")


class VDACLearner(Learner):
    """VDAC-mix, and VDAC-sum with `mixer: vdn` (arXiv:2007.12306; its authors' code).

    One network has two heads, logits and V_i. V_tot = f(s; V_1 ... V_N) rises with each V_i and follows TD(lambda)
    returns of itself; their difference is the advantage of all agents. There is no target network.

    Departs from it in: actions are drawn from (1 - epsilon) pi + epsilon uniform, and what is improved is pi, each
    agent's score being weighted by pi / the chance that its action had. The authors' code improves the mixture
    itself, whose gradient is the same but for a factor 1 - epsilon.
    """

    Settings = VDACLearnerSettings
    parts = ("mixer",)
    policy_kind = "action probabilities and values"
    extras = ("log_prob",)
    provides = ("prepare",)

    def __init__(
        self,
        settings: VDACLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` and what `make_mixer()` makes stand on `device`; nothing is drawn."""
        mixer = make_mixer()
        if not spec.common_reward and not isinstance(mixer, IndependentMixer):
            raise ValueError(
                "a mixer learns one value for the team, and here every agent has a reward of its own: "
                "choose mixer=independent, or give the environment a common reward"
            )
        super().__init__(settings, {"policy": policy, "mixer": mixer}, {})
        self.policy, self.mixer = policy, mixer
        parameters = FlatParameters([list(policy.parameters()), list(mixer.parameters())])
        optimiser = RMSprop(
            parameters.flat, lr=settings.lr, alpha=settings.optim_alpha, eps=settings.optim_eps
        )
        self.add_loss("policy", parameters, optimiser, grad_norm_clip=settings.grad_norm_clip, prefix="")

    def prepare(self, episodes: Episodes) -> Episodes:
        """As they are: the loss makes its own targets from the values that it needs anyway."""
        return episodes

    def step(self, batch: Episodes) -> Metrics:
        return self.minimise("policy", self.loss(batch))

    def loss(self, episodes: Episodes) -> Loss:
        """-mean (ratio A) + value_coef (y - V_tot)^2 - entropy_coef H; y and A are constant."""
        packing = Packing.of(episodes.length, episodes.actions.shape[1])
        values = self.policy.unroll_packed(
            self.policy.packed_inputs(episodes, packing), packing
        )  # [P, N, A+1]
        joint = self.mixer(
            self.policy.head.local_values(values), packing.of_moments(episodes.state)
        )  # [P, J]
        value = packing.before_steps(joint)
        target = packing.of_steps(self.targets_of(episodes, packing, joint.detach()))  # [R, J]
        advantage = target - value.detach()

        available = packing.of_steps(episodes.available_actions[:, :-1])
        decision = self.policy.decide(packing.before_steps(values), available)
        change = decision.log_prob(packing.of_steps(episodes.actions)) - packing.of_steps(
            episodes.extras["log_prob"]
        )
        gain = (change.exp() * advantage).mean()  # [R, N], the advantage one for all
        entropy = decision.entropy().mean()
        error = (target - value).square().mean()
        settings = self.settings
        loss = settings.value_coef * error - gain - settings.entropy_coef * entropy
        metrics: Metrics = {
            "critic_loss": error.detach(),
            "value_mean": value.detach().mean(),
            "advantage_std": advantage.std(correction=0),
            "entropy": entropy.detach(),
            "ratio_max": change.detach().max().exp(),
        }
        return Loss(loss, metrics)

    def targets_of(self, episodes: Episodes, packing: Packing, joint: Tensor) -> Tensor:
        """TD(lambda) returns of V_tot at all P moments, [P, J]: [B, T, J]."""
        return td_lambda_returns(
            episodes.reward,
            episodes.terminated,
            packing.padded(packing.after_steps(joint)),
            episodes.mask,
            self.settings.gamma,
            self.settings.td_lambda,
        )
