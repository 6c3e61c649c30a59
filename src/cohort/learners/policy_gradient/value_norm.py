"""Value normalisation: critics learn returns of mean 0 and deviation 1, whatever rewards are worth."""

from typing import Any

import torch
from torch import Tensor

from cohort.components.state import restore, state_of

SMALLEST_VARIANCE = 1e-2  # as in MAPPO's code: returns that hardly differ are not blown up


class ValueNorm:
    """Mean and deviation of the returns seen, older ones counting less (MAPPO, arXiv:2103.01955, section 5.1)."""

    def __init__(self, decay: float, device: torch.device) -> None:
        """`decay`: what is left of the old statistics at each `update`."""
        self.decay = decay
        # of the mean, the mean square and the weight of both, float64
        self._moments = torch.zeros(3, dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, returns: Tensor, mask: Tensor) -> None:
        """Take the returns of one batch in: [B, T, J], where `mask`, [B, T, 1], holds."""
        real = returns[mask.expand_as(returns)].double()
        batch = torch.stack([real.mean(), real.square().mean(), torch.ones_like(real.mean())])
        self._moments.mul_(self.decay).add_(batch, alpha=1 - self.decay)

    @property
    def mean_and_std(self) -> tuple[Tensor, Tensor]:
        """0 and 1 as long as nothing was seen."""
        mean, square, weight = self._moments
        if not bool(weight):
            return torch.zeros_like(mean), torch.ones_like(mean)
        mean = mean / weight
        return mean, (square / weight - mean.square()).clamp(min=SMALLEST_VARIANCE).sqrt()

    def normalise(self, values: Tensor) -> Tensor:
        mean, std = self.mean_and_std
        return ((values - mean) / std).to(values.dtype)

    def denormalise(self, values: Tensor) -> Tensor:
        mean, std = self.mean_and_std
        return (values * std + mean).to(values.dtype)

    def state_dict(self) -> dict[str, Any]:
        return state_of({"moments": self._moments})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore({"moments": self._moments}, state)
