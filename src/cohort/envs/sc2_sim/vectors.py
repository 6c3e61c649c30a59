"""Lengths of vectors whose components are the first dimension."""

from torch import Tensor


def length2(vectors: Tensor) -> Tensor:
    """Squared lengths [...] of vectors [2, ...]."""
    across, along = vectors.unbind(0)
    return (across * across).addcmul_(along, along)


def root(squares: Tensor) -> Tensor:
    """Square roots. Four times as fast on CPU as `sqrt`, which stumbles over the infinities of the dead."""
    return squares.rsqrt().reciprocal_()
