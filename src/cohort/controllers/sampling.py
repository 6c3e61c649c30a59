"""Exploration by the policy's own chances."""

import torch
from torch import Tensor

from cohort.components.functional import sampled_actions
from cohort.settings import NoSettings


class Sampling:
    """Each agent draws its action from its distribution; in evaluation it takes the likeliest."""

    Settings = NoSettings

    policy = "action probabilities"

    def __init__(self, settings: NoSettings) -> None:
        pass

    def metrics(self, t_env: int) -> dict[str, float]:
        """There is no schedule: how much is explored is the policy's entropy, which learners log."""
        return {}

    def select(
        self, probabilities: Tensor, available_actions: Tensor, t_env: int, generator: torch.Generator | None
    ) -> Tensor:
        """[B, N, A], zero where not available -> [B, N] int64. Without a generator the likeliest is chosen."""
        if generator is None:
            return probabilities.argmax(dim=-1)
        return sampled_actions(probabilities, generator)
