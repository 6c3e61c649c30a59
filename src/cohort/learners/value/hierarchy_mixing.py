"""MNMPG's mixing: a sampled global hierarchy z shapes the credit of each agent. A part that value learners own."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import masked_mean
from cohort.components.seeding import generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.value.q_learner import Networks, refuse_other_mixer
from cohort.modules.hierarchy import VARIANCE_FLOOR, DiagonalGaussian, Hierarchy
from cohort.settings import Settings

DIAGNOSTIC_SAMPLES = 8


class HierarchyMixingSettings(Settings):
    hierarchy_hidden_dim: int = Field(ge=1, description="H_z, units of the hierarchy network's hidden layer")
    hierarchy_dim: int = Field(ge=1, description="K, dimensions of the global hierarchy z")
    hier_input: Literal["state", "joint_inputs"] = Field(
        description="what the hierarchy reads: the state (paper) or all agents' inputs (authors' code)"
    )
    hie_grad_qtot: bool = Field(
        description="the Q-learning loss trains the hierarchy (False: MNMPG w/o grad)"
    )
    target_z: Literal["sample", "mean"] = Field(description="the hierarchy on the target side of the loss")


class HierarchyMixing:
    """The live side samples z_t from the live hierarchy theta, the target side z_{t+1} from its target copy (eq. 6)."""

    def __init__(
        self,
        settings: HierarchyMixingSettings,
        *,
        policy: TeamPolicy,
        mixer: nn.Module,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> None:
        refuse_other_mixer(mixer, ("utilities", "state", "z", "mask"))
        self.settings, self.policy = settings, policy
        joint = settings.hier_input == "joint_inputs"
        self.theta_network = Hierarchy(
            input_dim=spec.n_agents * policy.input_dim if joint else spec.state_dim,
            hidden_dim=settings.hierarchy_hidden_dim,
            latent_dim=settings.hierarchy_dim,
        ).to(device)
        self.networks = {"mixer": mixer, "hierarchy": self.theta_network}
        self.theta = list(self.theta_network.parameters())
        self.generator = generator(seed, "hierarchy", device)

    def joint(self, networks: Networks, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        z = self.live_z(episodes, inputs)
        return networks["mixer"](chosen, episodes.state[:, :-1], z, episodes.mask)

    def next_joint(self, targets: Networks, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        state, mask = episodes.state[:, 1:], episodes.mask
        latent = targets["hierarchy"](self.hierarchy_inputs(state, inputs[:, 1:]))
        z = latent.mean if self.settings.target_z == "mean" else self.sample(latent)
        return targets["mixer"](chosen, state, z, mask)

    def live_z(self, episodes: Episodes, inputs: Tensor) -> Tensor:
        """z_t for the live side: [B, T, K], with a gradient into theta unless `hie_grad_qtot` is off."""
        z = self.sample(self.hierarchy(episodes, inputs))
        return z if self.settings.hie_grad_qtot else z.detach()

    def hierarchy(self, episodes: Episodes, inputs: Tensor | None = None) -> DiagonalGaussian:
        """The live hierarchy's Gaussian at every acting step: [B, T, K] twice."""
        if inputs is None:
            inputs = self.policy.inputs(episodes)
        return self.theta_network(self.hierarchy_inputs(episodes.state[:, :-1], inputs[:, :-1]))

    def hierarchy_inputs(self, state: Tensor, inputs: Tensor) -> Tensor:
        """[B, T, S] or, from the agents' inputs [B, T, N, I], [B, T, N I]."""
        return state if self.settings.hier_input == "state" else inputs.flatten(-2)

    def sample(self, latent: DiagonalGaussian) -> Tensor:
        """A z of the training stream: [B, T, K]."""
        return latent.sample(self.noise_like(latent.mean))

    def noise_like(self, mean: Tensor) -> Tensor:
        return torch.randn(mean.shape, generator=self.generator, device=mean.device)

    def gradient_norm(self) -> Metrics:
        """How strongly the loss that was just minimised pulls on theta, where it does."""
        norms = [each.grad.norm() for each in self.theta if each.grad is not None]
        return {"hierarchy_grad_norm": torch.stack(norms).norm()} if norms else {}

    def diagnostics(self, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Metrics:
        """Credit dQ_tot/dQ_i, whether z matters (spread of Q_tot over z), and the hierarchy's Gaussian.

        `chosen`, [B, T, N], are the utilities of the taken actions, without a graph.
        """
        mask = episodes.mask.unsqueeze(-1)
        spare = torch.Generator(self.generator.device).manual_seed(0)  # leaves the training stream alone
        with torch.no_grad():
            latent = self.hierarchy(episodes, inputs)
        chosen.requires_grad_()
        mixer = self.networks["mixer"].eval()
        joint = []
        for _ in range(DIAGNOSTIC_SAMPLES):
            noise = torch.randn(latent.mean.shape, generator=spare, device=latent.mean.device)
            joint.append(mixer(chosen, episodes.state[:, :-1], latent.sample(noise), episodes.mask))
        mixer.train()
        (credit,) = torch.autograd.grad(joint[0].sum(), chosen)  # [B, T, N]
        means = latent.mean[episodes.mask]
        entropy = 0.5 * (math.log(2 * math.pi * math.e) + latent.variance.log()).sum(-1, keepdim=True)
        floored = (latent.variance <= VARIANCE_FLOOR).to(torch.float32)
        per_agent = {
            f"credit_agent_{i}": masked_mean(credit[..., i], episodes.mask) for i in range(credit.shape[-1])
        }
        return {
            **per_agent,
            "q_tot_std_over_z": masked_mean(torch.stack(joint).detach().std(dim=0), mask),
            "z_mean": means.mean(),
            "z_mean_std": means.std(dim=0, correction=0).mean(),
            "z_variance": masked_mean(latent.variance, mask),
            "z_variance_floored": masked_mean(floored, mask),
            "z_entropy": masked_mean(entropy, mask),
        }
