"""Rewards standardised by all that were ever seen, as a memory that forgets nothing would have it."""

from typing import Any

import torch
from torch import Tensor

from cohort.components.state import restore, state_of

SMALLEST_STD = 1e-8  # rewards that are all the same become 0


class RewardNorm:
    """Mean and deviation of every reward so far, of each agent where rewards are their own."""

    def __init__(self, agents: int | None, device: torch.device) -> None:
        """`agents`: N where rewards are [R, N], None where they are [R]."""
        # how many, their mean and the sum of their squared distances from it, float64
        shape = (3,) if agents is None else (3, agents)
        self._moments = torch.zeros(shape, dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, rewards: Tensor) -> None:
        """Take the rewards of R steps in: [R] or [R, N]."""
        new, rewards = torch.zeros_like(self._moments), rewards.double()
        new[0], new[1] = len(rewards), rewards.mean(dim=0)
        new[2] = (rewards - new[1]).square().sum(dim=0)
        count = self._moments[0] + new[0]
        apart, share = new[1] - self._moments[1], new[0] / count
        self._moments[2] += new[2] + apart.square() * self._moments[0] * share
        self._moments[1] += apart * share
        self._moments[0] = count

    def normalise(self, rewards: Tensor) -> Tensor:
        """Of the same type as given."""
        count, mean, squares = self._moments
        std = (squares / count).sqrt().clamp(min=SMALLEST_STD)
        return ((rewards.double() - mean) / std).to(rewards.dtype)

    def state_dict(self) -> dict[str, Any]:
        return state_of({"moments": self._moments})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore({"moments": self._moments}, state)
