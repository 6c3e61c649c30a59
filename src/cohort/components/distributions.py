"""Decisions: what a policy's head makes of its network's values, one for each agent. Leading dimensions are free.

`mode` is what a greedy policy does, `sample` what one does that follows its chances. Those that are random know what
their samples' chances were; where nothing is left to chance, the sample is the mode.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.components.functional import (
    entropy,
    greedy_actions,
    masked_log_softmax,
    sampled_actions,
    softmax,
    taken,
)

LARGEST_ACTION = 1 - 1e-6  # tanh rounds to 1 in single precision, where its inverse is infinite


@dataclass(frozen=True)
class Utilities:
    """A value for each discrete action."""

    values: Tensor  # [..., A]
    available: Tensor  # [..., A] bool

    @property
    def mode(self) -> Tensor:
        """The best available action: [...] int64."""
        return greedy_actions(self.values, self.available)

    def sample(self, generator: torch.Generator) -> Tensor:
        """[...] int64: utilities are no chances. Nothing is drawn."""
        return self.mode


@dataclass(frozen=True)
class RestrictedUtilities(Utilities):
    """A value for each discrete action, of which some are allowed besides being available."""

    allowed: Tensor  # [..., A] bool

    @property
    def within(self) -> Tensor:
        """Available and allowed: [..., A] bool, nothing where the two do not meet."""
        return self.available & self.allowed

    @property
    def possible(self) -> Tensor:
        """Where there is something available that is allowed: [..., 1] bool."""
        return self.within.any(dim=-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """The best action within what is allowed, or where that is nothing, of all that is available: [...] int64."""
        # not torch.where, which onnxruntime lacks for truth values
        return greedy_actions(self.values, self.within | (self.available & ~self.possible))


@dataclass(frozen=True)
class Categorical:
    """A distribution over the available ones of A actions."""

    logits: Tensor  # [..., A] of all actions
    available: Tensor  # [..., A] bool, at least one

    @cached_property
    def log_probs(self) -> Tensor:
        """[..., A], -inf where an action is not available. Made once: samples, chances and entropy all read it."""
        return masked_log_softmax(self.logits, self.available)

    @property
    def mode(self) -> Tensor:
        """The likeliest action: [...] int64."""
        return self.log_probs.argmax(dim=-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """[...] int64. No gradient flows through it."""
        return sampled_actions(self.log_probs.detach().exp(), generator)

    def straight_through(self, generator: torch.Generator) -> Tensor:
        """Sampled actions as rows with a single 1, [..., A], whose gradient is that of softmax(log pi + Gumbel noise).

        The straight-through Gumbel-softmax at temperature 1 (arXiv:1611.01144, section 2.2). What is not available is
        0 and has the gradient 0.
        """
        exponential = torch.empty_like(self.log_probs).exponential_(generator=generator)
        soft = softmax(self.log_probs - exponential.log())
        hard = F.one_hot(soft.detach().argmax(dim=-1), soft.shape[-1]).to(soft.dtype)
        return hard + (soft - soft.detach())

    def log_prob(self, actions: Tensor) -> Tensor:
        """[...] int64 -> [...]."""
        return taken(self.log_probs, actions)

    def entropy(self) -> Tensor:
        """[...]."""
        return entropy(self.log_probs)


@dataclass(frozen=True)
class Point:
    """One continuous action."""

    mode: Tensor  # [..., U] in [-1, 1]

    def sample(self, generator: torch.Generator) -> Tensor:
        """[..., U]. Nothing is drawn."""
        return self.mode


@dataclass(frozen=True)
class SquashedGaussian:
    """tanh(u) with u normal, each dimension on its own: continuous actions in (-1, 1).

    Soft Actor-Critic (arXiv:1812.05905), appendix C.
    """

    mean: Tensor  # [..., U] of u
    log_std: Tensor  # [..., U]

    @property
    def mode(self) -> Tensor:
        """tanh of the mean: [..., U]."""
        return torch.tanh(self.mean)

    def sample(self, generator: torch.Generator) -> Tensor:
        """[..., U], differentiable with respect to mean and log_std (the reparameterisation)."""
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return torch.tanh(self._u(noise))

    def of_noise(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The actions that standard normal `noise` [..., U] draws, and their log densities [...], differentiable.

        Exact where tanh rounds to 1, of which `log_prob` cannot know.
        """
        u = self._u(noise)
        return torch.tanh(u), self._log_prob_u(u)

    def log_prob(self, actions: Tensor) -> Tensor:
        """log density of actions in (-1, 1): [..., U] -> [...]. Actions at the border count as just inside."""
        return self._log_prob_u(torch.atanh(actions.clamp(-LARGEST_ACTION, LARGEST_ACTION)))

    def _u(self, noise: Tensor) -> Tensor:
        return self.mean + self.log_std.exp() * noise

    def _log_prob_u(self, u: Tensor) -> Tensor:
        """log density of tanh(u)."""
        squared = ((u - self.mean) * (-self.log_std).exp()).square()
        normal = -0.5 * (squared + math.log(2 * math.pi)) - self.log_std
        # log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2 u)), without cancellation
        volume = 2 * (math.log(2) - u - F.softplus(-2 * u))
        return (normal - volume).sum(dim=-1)

    def entropy(self) -> Tensor:
        """The entropy of u, before squashing, in closed form: [...]. That of tanh(u) is smaller and has none."""
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(dim=-1)


Decision = Utilities | Categorical | Point | SquashedGaussian
