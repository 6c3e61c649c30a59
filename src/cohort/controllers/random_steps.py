"""Uniform actions at the beginning of training: what values are learned from before a policy is followed."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.settings import Settings


class RandomStepsSettings(Settings):
    random_steps: int = Field(
        ge=0, description="environment steps at the beginning whose actions are uniform in [-1, 1]"
    )


def uniform_actions(like: Tensor, generator: torch.Generator) -> Tensor:
    """Independent and uniform in [-1, 1], of the shape of `like`."""
    return torch.empty_like(like).uniform_(-1, 1, generator=generator)
