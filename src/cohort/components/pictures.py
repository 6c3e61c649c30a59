"""Pictures of bytes: kept as they are from the game to the learner's door, since as numbers they are larger."""

import torch
from torch import Tensor


def as_numbers(seen: Tensor) -> Tensor:
    """Bytes as float32 from 0 to 1; everything else as it is."""
    return seen.to(torch.float32) * (1 / 255) if seen.dtype == torch.uint8 else seen


def as_stored(values: Tensor, dtype: torch.dtype) -> Tensor:
    """In the type of a memory; numbers from 0 to 1 become the bytes they came from."""
    in_bytes = dtype == torch.uint8 and values.is_floating_point()
    return ((values * 255).round() if in_bytes else values).to(dtype)
