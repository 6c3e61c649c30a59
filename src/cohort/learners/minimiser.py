"""What one loss moves: some parameters, by an optimiser, with a limit on the gradient."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.functional import clip_per_agent

Gradient = Sequence[Tensor | None]  # one tensor for each parameter; None where the loss does not depend on it


class Loss(NamedTuple):
    """A scalar to minimise and what to log about it (0-d tensors)."""

    value: Tensor
    metrics: Metrics


class Minimiser:
    """Differentiate, clip, step: the one place where it is done."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        optimiser: torch.optim.Optimizer,
        *,
        grad_norm_clip: float | None,
        per_agent: bool = False,
    ) -> None:
        """Steps of `optimiser`, which has just these parameters.

        Args:
            parameters: what moves.
            optimiser: how.
            grad_norm_clip: largest norm of the whole gradient, or of each agent's; None for no limit.
            per_agent: parameters are stacked, [N, ...], and each agent's gradient is clipped by itself.
        """
        self.parameters, self.optimiser = list(parameters), optimiser
        self.grad_norm_clip, self.per_agent = grad_norm_clip, per_agent

    def gradient(self, loss: Tensor) -> Gradient:
        """d loss / d parameters; frees the graph."""
        return torch.autograd.grad(loss, self.parameters, allow_unused=True)

    def step(self, gradient: Gradient) -> Tensor:
        """Move, and say how long the gradient was (with `per_agent`: on average); that is where a NaN shows."""
        limit = math.inf if self.grad_norm_clip is None else self.grad_norm_clip
        norms = None
        if self.per_agent:
            gradient, norms = clip_per_agent(gradient, limit)
        for parameter, each in zip(self.parameters, gradient, strict=True):
            parameter.grad = each
        norm = nn.utils.clip_grad_norm_(self.parameters, limit) if norms is None else norms.mean()
        self.optimiser.step()
        return norm
