"""Many gradients of the same parameters, one from each task: limited, reconciled, followed."""

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-8


def clip_rows(gradients: Tensor, max_norm: float) -> tuple[Tensor, Tensor]:
    """Every task's gradient shortened to `max_norm` at most: [C, P] -> [C, P] and the norms before, [C]."""
    norms = gradients.norm(dim=-1)
    scale = (max_norm / norms.clamp(min=TINY)).clamp(max=1.0)
    return gradients * scale[:, None], norms


def pcgrad(gradients: Tensor, generator: torch.Generator) -> Tensor:
    """Project conflicting gradients (Yu et al. 2020, arXiv:2001.06782): [C, P] -> [C, P].

    Each task's gradient meets those of all tasks in an order of its own, drawn from `generator`, a CPU generator.
    Where the two point apart, the part along the other's original gradient is taken out.
    """
    squared = gradients.square().sum(dim=-1) + TINY
    result = gradients.clone()
    for row in result:
        for other in torch.randperm(len(gradients), generator=generator).tolist():
            along = (row @ gradients[other]) / squared[other]
            row.sub_(along.clamp(max=0.0) * gradients[other])
    return result


def rows(gradients: Sequence[Tensor]) -> Tensor:
    """Every task's gradient in one row: [C, ...] each -> [C, P]."""
    return torch.cat([each.flatten(1) for each in gradients], dim=1)


def step_along(optimiser: torch.optim.Optimizer, gradient: Tensor) -> None:
    """One step of descent by a flat gradient, [P], of the optimiser's parameters in their order."""
    parameters = optimiser.param_groups[0]["params"]
    pieces = gradient.split([each.numel() for each in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
