"""Many gradients of the same parameters, one from each task: limited, reconciled."""

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
