"""MNMPG's meta policy gradient: a part that a learner with a `HierarchyMixing` owns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import diagonal_gaussian_log_prob
from cohort.components.state import restore, state_of
from cohort.learners.base import Minimiser
from cohort.learners.optimisers import SGD
from cohort.learners.packed import PackedEpisodes
from cohort.learners.value.hierarchy_mixing import HierarchyMixing, HierarchyMixingSettings
from cohort.settings import Settings


class MetaStepSettings(Settings):
    meta_lr: float = Field(
        ge=0, description="lambda, learning rate of the meta step (0: schedule without gradient)"
    )
    meta_optimiser: Literal["rmsprop", "sgd"] = Field(
        description="RMSprop behind grad_norm_clip (authors' code), or the paper's theta + lambda grad without a limit"
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


class MetaMixingSettings(MetaStepSettings, HierarchyMixingSettings):
    """Of a hierarchy that a meta step teaches."""


def noise_of(name: str) -> str:
    """What the noise is called from which a z came."""
    return f"{name}_noise"


class ExercisedMixing(HierarchyMixing):
    """A hierarchy whose z is the stored one wherever an exercise move brings it along."""

    settings: MetaMixingSettings

    def live_z(self, batch: PackedEpisodes) -> Tensor:
        extras, of_steps = batch.episodes.extras, batch.packing.of_steps
        if self.name not in extras:  # ordinary Q-learning, outside the meta loop
            return super().live_z(batch)
        stored = self.settings.meta_z == "stored"
        if not self.settings.exercise_updates_theta:
            return of_steps(extras[self.name]) if stored else super().live_z(batch).detach()
        if not stored:
            return super().live_z(batch)
        return self.packed_hierarchy(batch).sample(of_steps(extras[noise_of(self.name)]))


class MetaStep:
    """MNMPG (Credit Assignment with Meta-Policy Gradient, Algorithm 1): did the exercise move make the team better?

    The hierarchy's score is log p_theta(z_t | s_t) of the very samples that shaped the exercise move: the paper's
    log pi(a_t | z_t) (eq. 5) does not depend on theta, as actions are chosen from utilities that never see z.
    `meta_z: fresh` reproduces the authors' code, whose gradient has mean zero (see docs/mnmpg.md).
    """

    def __init__(
        self,
        settings: MetaStepSettings,
        mixings: Sequence[HierarchyMixing],
        *,
        rmsprop: Callable[..., torch.optim.Optimizer],
        grad_norm_clip: float,
    ) -> None:
        """Teach the hierarchies of `mixings`, theta, together.

        Args:
            settings: of the step.
            mixings: each has a hierarchy of its own, whose z it calls by a name of its own.
            rmsprop: `rmsprop(parameters, lr=)`, with `meta_optimiser: rmsprop`.
            grad_norm_clip: the largest norm of its gradient.
        """
        self.settings, self.mixings = settings, tuple(mixings)
        self.theta = [each for mixing in self.mixings for each in mixing.theta]
        if settings.meta_optimiser == "sgd":
            optimiser, clip = SGD(self.theta, lr=settings.meta_lr), None
        else:
            optimiser, clip = rmsprop(self.theta, lr=settings.meta_lr), grad_norm_clip
        self.minimiser = Minimiser(self.theta, optimiser, grad_norm_clip=clip)
        # the last gradient of the Q-learning loss on theta, to compare the meta gradient with
        self._q_gradient = torch.zeros(sum(each.numel() for each in self.theta), device=self.theta[0].device)

    @torch.no_grad()
    def store_z(self, episodes: Episodes) -> Episodes:
        """Add the z that this moment's hierarchies draw for every step (acting never reads it): `z`, `z_noise`."""
        for mixing in self.mixings:
            latent = mixing.hierarchy(episodes)
            noise = mixing.noise(episodes)
            drawn = {mixing.name: latent.sample(noise), noise_of(mixing.name): noise}
            episodes = episodes.with_extras(**drawn)
        return episodes

    def remember_q_gradient(self) -> None:
        """Keep what the loss that was just minimised asks of theta, if it asks anything."""
        gradient = [each.grad for each in self.theta]
        if all(each is not None for each in gradient):
            self._q_gradient = torch.cat([each.flatten() for each in gradient])

    def update(self, before: Episodes, after: Episodes) -> Metrics:
        """One REINFORCE step on theta: `before` is D0 with its z, `after` is D1 (Algorithm 1, eq. 5)."""
        improvement, log_prob = self.improvement(before, after), self.log_prob(before)  # [M] each
        loss = self.meta_loss(improvement, log_prob)
        gradient = self.minimiser.gradient(loss)
        flat = torch.cat([each.flatten() for each in gradient])
        norm = self.minimiser.step(gradient)
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
        """log p_theta(z | s) of each episode, of all hierarchies together: [M].

        z is a constant: through a sampled z the mean would cancel. A z of which nothing was mixed does not count.
        """
        total = torch.stack([self.log_prob_of(mixing, episodes) for mixing in self.mixings]).sum(dim=0)
        return total if self.settings.logp_agg == "sum_t" else total / episodes.length

    def log_prob_of(self, mixing: HierarchyMixing, episodes: Episodes) -> Tensor:
        """The sum over an episode's mixed values for one hierarchy: [M]."""
        latent = mixing.hierarchy(episodes)
        stored = self.settings.meta_z == "stored"
        z = episodes.extras[mixing.name] if stored else latent.sample(mixing.noise(episodes)).detach()
        per_step = diagonal_gaussian_log_prob(z, *latent)  # [M, T]
        steps = torch.arange(per_step.shape[1], device=per_step.device)
        return torch.where(episodes.mask & (steps % mixing.interval == 0), per_step, 0.0).sum(dim=1)

    def state_dict(self) -> dict[str, Any]:
        return state_of({"optimiser": self.minimiser.optimiser, "q_gradient": self._q_gradient})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        restore({"optimiser": self.minimiser.optimiser, "q_gradient": self._q_gradient}, state)
