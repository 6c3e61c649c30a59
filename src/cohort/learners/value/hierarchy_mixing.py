"""MNMPG's mixing: a sampled global hierarchy z shapes the credit of each agent. A part that value learners own."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.seeding import generator
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.mixing import Networks, refuse_other_mixer
from cohort.learners.packed import PackedEpisodes
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
        name: str = "z",
        interval: int = 1,
    ) -> None:
        """A hierarchy of its own beside this mixer.

        Args:
            settings: of the hierarchy.
            policy: whose inputs it may read.
            mixer: what reads z.
            spec: the environment's sizes.
            device: where the networks are.
            seed: feeds what it draws.
            name: of its z, where a record keeps it.
            interval: steps of an episode from one mixed joint value to the next.
        """
        refuse_other_mixer(mixer, ("utilities", "state", "z"))
        self.settings, self.policy, self.name, self.interval = settings, policy, name, interval
        joint = settings.hier_input == "joint_inputs"
        self.theta_network = Hierarchy(
            input_dim=spec.n_agents * policy.input_dim if joint else spec.state_dim,
            hidden_dim=settings.hierarchy_hidden_dim,
            latent_dim=settings.hierarchy_dim,
        ).to(device)
        self.networks = {"mixer": mixer, "hierarchy": self.theta_network}
        self.theta = list(self.theta_network.parameters())
        self.generator = generator(seed, "hierarchy", device)

    def joint(self, networks: Networks, chosen: Tensor, batch: PackedEpisodes) -> Tensor:
        return networks["mixer"](chosen, batch.states_before, self.live_z(batch))

    def next_joint(self, targets: Networks, chosen: Tensor, batch: PackedEpisodes) -> Tensor:
        inputs = batch.packing.after_steps(batch.inputs)
        latent = targets["hierarchy"](self.hierarchy_inputs(batch.states_after, inputs))
        z = latent.mean if self.settings.target_z == "mean" else self.sample(latent, batch)
        return targets["mixer"](chosen, batch.states_after, z)

    def live_z(self, batch: PackedEpisodes) -> Tensor:
        """z_t for the live side: [R, K], with a gradient into theta unless `hie_grad_qtot` is off."""
        z = self.sample(self.packed_hierarchy(batch), batch)
        return z if self.settings.hie_grad_qtot else z.detach()

    def packed_hierarchy(self, batch: PackedEpisodes) -> DiagonalGaussian:
        """The live hierarchy's Gaussian before every real step: [R, K] twice."""
        inputs = batch.packing.before_steps(batch.inputs)
        return self.theta_network(self.hierarchy_inputs(batch.states_before, inputs))

    def hierarchy(self, episodes: Episodes) -> DiagonalGaussian:
        """The same of whole episodes: [B, T, K] twice."""
        inputs = self.policy.inputs(episodes)[:, :-1]
        return self.theta_network(self.hierarchy_inputs(episodes.state[:, :-1], inputs))

    def hierarchy_inputs(self, state: Tensor, inputs: Tensor) -> Tensor:
        """[..., S] or, from the agents' inputs [..., N, I], [..., N I]."""
        return state if self.settings.hier_input == "state" else inputs.flatten(-2)

    def sample(self, latent: DiagonalGaussian, batch: PackedEpisodes) -> Tensor:
        """A z of the training stream for every real step: [R, K].

        Numbers are drawn for whole episodes, as for the z that D0 keeps, so that a batch's order draws the same.
        """
        return latent.sample(batch.packing.of_steps(self.noise(batch.episodes)))

    def noise(self, episodes: Episodes, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal, by the training stream or another: [B, T, K]."""
        generator = generator or self.generator
        shape = (*episodes.mask.shape, self.settings.hierarchy_dim)
        return torch.randn(shape, generator=generator, device=generator.device)

    def gradient_norm(self) -> Metrics:
        """How strongly the loss that was just minimised pulls on theta, where it does."""
        norms = [each.grad.norm() for each in self.theta if each.grad is not None]
        return {"hierarchy_grad_norm": torch.stack(norms).norm()} if norms else {}

    def diagnostics(self, chosen: Tensor, batch: PackedEpisodes) -> Metrics:
        """Credit dQ_tot/dQ_i, whether z matters (spread of Q_tot over z), and the hierarchy's Gaussian.

        `chosen`, [R, N], are the utilities of the taken actions, without a graph.
        """
        spare = torch.Generator(self.generator.device).manual_seed(0)  # leaves the training stream alone
        with torch.no_grad():
            latent = self.packed_hierarchy(batch)
        chosen.requires_grad_()
        mixer = self.networks["mixer"].eval()
        joint = []
        for _ in range(DIAGNOSTIC_SAMPLES):
            z = latent.sample(batch.packing.of_steps(self.noise(batch.episodes, spare)))
            joint.append(mixer(chosen, batch.states_before, z))
        mixer.train()
        (credit,) = torch.autograd.grad(joint[0].sum(), chosen)  # [R, N]
        entropy = 0.5 * (math.log(2 * math.pi * math.e) + latent.variance.log()).sum(dim=-1)
        floored = (latent.variance <= VARIANCE_FLOOR).to(torch.float32)
        per_agent = {f"credit_agent_{i}": each for i, each in enumerate(credit.mean(dim=0).unbind())}
        return {
            **per_agent,
            "q_tot_std_over_z": torch.stack(joint).detach().std(dim=0).mean(),
            "z_mean": latent.mean.mean(),
            "z_mean_std": latent.mean.std(dim=0, correction=0).mean(),
            "z_variance": latent.variance.mean(),
            "z_variance_floored": floored.mean(),
            "z_entropy": entropy.mean(),
        }
