"""A soft actor-critic for teams with a mixed critic: a method from outside the tree."""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.distributions import Categorical
from cohort.components.episodes import Episodes
from cohort.components.functional import masked_mean, one_step_target, taken
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.targets import SoftTargetSettings

TWINS = (1, 2)


class SoftActorCriticSettings(SoftTargetSettings, DiscountSettings):
    lr: float = Field(gt=0, description="learning rate of the policy's Adam")
    critic_lr: float = Field(gt=0, description="learning rate of the critics' Adam")
    grad_norm_clip: float = Field(
        gt=0, description="largest norm of the policy's gradient, and of the critics'"
    )
    temperature: float = Field(gt=0, description="where alpha begins, what entropy is worth")
    temperature_lr: float = Field(ge=0, description="learning rate of log alpha's Adam; 0 keeps it fixed")
    target_entropy: float = Field(
        ge=0, description="the policies' entropy that alpha is moved towards, in nats"
    )


class Temperature(nn.Module):
    """alpha, learned as its logarithm."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(start).log())

    def forward(self) -> Tensor:
        return self.log.exp()


class SoftActorCriticLearner(Learner):
    """Soft Actor-Critic (arXiv:1801.01290) with actions summed out, and twin critics Q_tot = f_s(Q_1, ..., Q_N).

    An agent's soft utility is V_i = sum_a pi_i(a) (Q_i(a) - alpha log pi_i(a)); the team's soft value mixes those.
    Critics learn r + gamma min_k V_tot^k of target critics; the policies, shared and recurrent, climb the first
    critic's V_tot; alpha falls while there is more entropy than wanted (arXiv:1812.05905, eq. 18). A large alpha
    that stays would pay agents for staying alive.
    """

    Settings = SoftActorCriticSettings
    parts = ("mixer",)
    policy_kind = "action probabilities"

    def __init__(
        self,
        settings: SoftActorCriticSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        critics: dict[str, nn.Module] = {}
        for k in TWINS:  # a policy's values are logits; those of a fresh one serve as utilities
            critics |= {f"utilities_{k}": policy.fresh(), f"mixer_{k}": make_mixer()}
        rules = dict.fromkeys(critics, settings.target_rule)
        temperature = Temperature(settings.temperature).to(device)
        super().__init__(settings, {"policy": policy, "temperature": temperature, **critics}, rules)
        self.policy, self.temperature = policy, temperature
        rates = {"actor": settings.lr, "critic": settings.critic_lr, "temperature": settings.temperature_lr}
        parameters = {
            "actor": list(policy.parameters()),
            "temperature": list(temperature.parameters()),
            "critic": [each for network in critics.values() for each in network.parameters()],
        }
        for name, lr in rates.items():
            optimiser = torch.optim.Adam(parameters[name], lr=lr)
            self.add_loss(name, parameters[name], optimiser, grad_norm_clip=settings.grad_norm_clip)

    def step(self, batch: Episodes) -> Metrics:
        inputs = self.policy.inputs(batch)  # [B, T+1, N, I]
        metrics = self.minimise("critic", self.critic_loss(batch, inputs))
        metrics |= self.minimise("actor", self.actor_loss(batch, inputs))
        return metrics | self.minimise("temperature", self.temperature_loss(metrics["entropy"]))

    def decisions(self, episodes: Episodes, inputs: Tensor) -> Categorical:
        """The live policies at every moment: [B, T+1, N, A]."""
        return self.policy.decide(self.policy.unroll(inputs, episodes), episodes.available_actions)

    def soft_value(
        self, networks: Any, k: int, decisions: Categorical, episodes: Episodes, inputs: Tensor
    ) -> Tensor:
        """V_tot by one of the twins, live or target, at every moment: [B, T+1, 1]."""
        with torch.no_grad():
            utilities = networks[f"utilities_{k}"].unroll(inputs, episodes)
        expected = (decisions.log_probs.exp() * utilities).sum(dim=-1)  # [B, T+1, N]
        soft = expected + self.temperature().detach() * decisions.entropy()
        return networks[f"mixer_{k}"](soft, episodes.state)

    def critic_loss(self, episodes: Episodes, inputs: Tensor) -> Loss:
        mask, gamma = episodes.mask.unsqueeze(-1), self.settings.gamma
        with torch.no_grad():
            decisions = self.decisions(episodes, inputs)
            values = [self.soft_value(self.targets, k, decisions, episodes, inputs) for k in TWINS]
            following = torch.minimum(*values)[:, 1:]
            target = one_step_target(episodes.reward, episodes.terminated, following, gamma)  # [B, T, 1]
        errors = []
        for k in TWINS:
            utilities = self.networks[f"utilities_{k}"].unroll(inputs, episodes)[:, :-1]
            joint = self.networks[f"mixer_{k}"](taken(utilities, episodes.actions), episodes.state[:, :-1])
            errors.append(masked_mean((joint - target).square(), mask))
        return Loss(torch.stack(errors).sum(), {"target_mean": masked_mean(target, mask)})

    def actor_loss(self, episodes: Episodes, inputs: Tensor) -> Loss:
        decisions = self.decisions(episodes, inputs)
        value = self.soft_value(self.networks, 1, decisions, episodes, inputs)[:, :-1]
        mask = episodes.mask.unsqueeze(-1)
        entropy = masked_mean(decisions.entropy()[:, :-1].detach(), mask)
        return Loss(-masked_mean(value, mask), {"entropy": entropy})

    def temperature_loss(self, entropy: Tensor) -> Loss:
        """log alpha (H - target), whose gradient says whether there is too much entropy."""
        loss = self.temperature.log * (entropy - self.settings.target_entropy)
        return Loss(loss, {"temperature": self.temperature().detach()})
