"""The largest eigenvalue of a loss's Hessian, without the Hessian."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

TOLERANCE = 1e-3  # relative change of the eigenvalue at which the iteration ends


def largest_eigenvalue(loss: Tensor, parameters: Sequence[Tensor], *, steps: int) -> Tensor:
    """Of the Hessian of a scalar loss, by power iteration on Hessian-vector products from the gradient: a scalar.

    Each of at most `steps` products is one more backward pass. Where the eigenvalue that is largest in size is
    negative, a second iteration on the Hessian shifted by it finds the largest. An estimate is never above the truth.
    """
    gradient = _flat(torch.autograd.grad(loss, parameters, create_graph=True))

    def product(vector: Tensor) -> Tensor:
        return _flat(
            torch.autograd.grad(
                gradient, parameters, vector, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        )

    start = gradient.detach()
    found = _power_iteration(product, start, steps)
    if found >= 0:
        return found
    return found + _power_iteration(lambda vector: product(vector) - found * vector, start, steps)


def _power_iteration(product: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Tensor:
    """The Rayleigh quotient that vectors from `start` [P] come to."""
    value, vector = start.new_zeros(()), start
    for _ in range(steps):
        length = vector.norm()
        if not length > 0:
            break
        vector = vector / length
        image = product(vector)
        before, value = value, vector @ image
        if (value - before).abs() <= TOLERANCE * value.abs():
            break
        vector = image
    return value


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.reshape(-1) for each in tensors])
