"""MNMPG: the meta policy gradient that teaches the hierarchy which credit makes the team learn fast."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import diagonal_gaussian_log_prob
from cohort.learners.value.hierarchical_q_learner import HierarchicalQLearner, HierarchicalQLearnerSettings


class MNMPGLearnerSettings(HierarchicalQLearnerSettings):
    meta_lr: float = Field(
        ge=0, description="lambda, learning rate of the meta step (0: schedule without gradient)"
    )
    meta_z: Literal["stored", "fresh"] = Field(
        description="the z of the exercise move and of the meta gradient: those stored at collection, or new draws"
    )
    meta_return: Literal["sum", "per_step"] = Field(description="episode return, or divided by its length")
    pairing: Literal["mean", "index"] = Field(
        description="R1 - R0 of the batch means, or of episodes paired by their place"
    )
    logp_agg: Literal["mean_t", "sum_t"] = Field(
        description="log p(z) over an episode: mean or sum over its steps"
    )
    exercise_updates_theta: bool = Field(
        description="the exercise move also trains the hierarchy (authors' code)"
    )


class MNMPGLearner(HierarchicalQLearner):
    """MNMPG (Credit Assignment with Meta-Policy Gradient, Algorithm 1).

    The hierarchy's score is log p_theta(z_t | s_t) of the very samples that shaped the exercise move: the paper's
    log pi(a_t | z_t) (eq. 5) does not depend on theta, as actions are chosen from utilities that never see z.
    `meta_z: fresh` reproduces the authors' code, whose gradient has mean zero (see docs/mnmpg.md).
    """

    Settings = MNMPGLearnerSettings

    def __init__(self, settings: MNMPGLearnerSettings, **parts) -> None:
        super().__init__(settings, **parts)
        self.meta_optimiser = torch.optim.RMSprop(
            self.theta, lr=settings.meta_lr, alpha=settings.optim_alpha, eps=settings.optim_eps
        )
        # the last gradient of the Q-learning loss on theta, to compare the meta gradient with
        self._q_gradient = torch.zeros(sum(each.numel() for each in self.theta), device=self.theta[0].device)

    @torch.no_grad()
    def store_z(self, episodes: Episodes) -> Episodes:
        """Add the z that this moment's hierarchy draws for every step (acting never reads it): `z`, `z_noise`."""
        latent = self.hierarchy(episodes)
        noise = self.noise_like(latent.mean)
        return episodes.with_extras(z=latent.sample(noise), z_noise=noise)

    def exercise(self, episodes: Episodes) -> Metrics:
        """One step of the exercise move on all of D0: phi and zeta alone, unless `exercise_updates_theta`."""
        self.updates += 1
        return self.step(episodes)

    def live_z(self, episodes: Episodes, inputs: Tensor) -> Tensor:
        if "z" not in episodes.extras:  # ordinary Q-learning, outside the meta loop
            return super().live_z(episodes, inputs)
        stored = self.settings.meta_z == "stored"
        if not self.settings.exercise_updates_theta:
            return episodes.extras["z"] if stored else super().live_z(episodes, inputs).detach()
        if not stored:
            return super().live_z(episodes, inputs)
        return self.hierarchy(episodes, inputs).sample(episodes.extras["z_noise"])

    def meta_update(self, before: Episodes, after: Episodes) -> Metrics:
        """One REINFORCE step on theta: `before` is D0 with its z, `after` is D1 (Algorithm 1, eq. 5)."""
        improvement, log_prob = self.improvement(before, after), self.log_prob(before)  # [M] each
        loss = self.meta_loss(improvement, log_prob)
        gradient = torch.autograd.grad(loss, self.theta)
        flat = torch.cat([each.flatten() for each in gradient])
        for parameter, each in zip(self.theta, gradient, strict=True):
            parameter.grad = each
        norm = nn.utils.clip_grad_norm_(self.theta, self.settings.grad_norm_clip)
        self.meta_optimiser.step()
        r0, r1 = self.scores(before), self.scores(after)
        error = ((r0.var() + r1.var()) / len(r0)).sqrt()
        return {
            "meta_loss": loss.detach(),
            "meta_grad_norm": norm,
            "meta_grad_cosine": F.cosine_similarity(flat, self._q_gradient, dim=0),
            "meta_r0": r0.mean(),
            "meta_r1": r1.mean(),
            "meta_delta": improvement.mean(),
            "meta_delta_min": improvement.min(),
            "meta_delta_max": improvement.max(),
            "meta_delta_stderr": error,
            "meta_delta_snr": (r1.mean() - r0.mean()).abs() / error.clamp(min=1e-8),
            "meta_logp": log_prob.detach().mean(),
            "meta_logp_min": log_prob.detach().min(),
            "meta_logp_max": log_prob.detach().max(),
        }

    @staticmethod
    def meta_loss(improvement: Tensor, log_prob: Tensor) -> Tensor:
        """-sum_i delta_i log p_theta(z_i | s_i), whose gradient is REINFORCE's: [M], [M] -> scalar."""
        return -(improvement * log_prob).sum()

    def scores(self, episodes: Episodes) -> Tensor:
        """R of each episode: [M]."""
        return episodes.returns if self.settings.meta_return == "sum" else episodes.returns / episodes.length

    def improvement(self, before: Episodes, after: Episodes) -> Tensor:
        """delta_i, the weight of each D0 episode: [M]."""
        r0, r1 = self.scores(before), self.scores(after)
        return r1 - r0 if self.settings.pairing == "index" else (r1.mean() - r0.mean()).expand_as(r0)

    def log_prob(self, episodes: Episodes) -> Tensor:
        """log p_theta(z | s) of each episode: [M]. z is a constant: through a sampled z the mean would cancel."""
        latent = self.hierarchy(episodes)
        if self.settings.meta_z == "stored":
            z = episodes.extras["z"]
        else:
            z = latent.sample(self.noise_like(latent.mean)).detach()
        per_step = diagonal_gaussian_log_prob(z, *latent)  # [M, T]
        total = torch.where(episodes.mask, per_step, 0.0).sum(dim=1)
        return total if self.settings.logp_agg == "sum_t" else total / episodes.length

    def descend(self, loss: Any) -> Metrics:
        metrics = super().descend(loss)
        if self.theta[0].grad is not None:
            self._q_gradient = torch.cat([each.grad.flatten() for each in self.theta])
        return metrics

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {**super().optimisers, "meta_optimiser": self.meta_optimiser}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "q_gradient": self._q_gradient}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._q_gradient = state["q_gradient"].to(self._q_gradient, copy=True)
