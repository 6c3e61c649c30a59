"""`Episodes`: what runners return, memories keep and learners read."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Episodes:
    """B whole episodes, padded with zeros after their end to the longest of them, T steps.

    An episode of `length` L has L transitions and L + 1 observations: the last one follows the last action.
    It is a value to bootstrap from unless `terminated` is set on the last transition.
    """

    obs: Tensor  # [B, T+1, N, O] float32
    state: Tensor  # [B, T+1, S] float32
    available_actions: Tensor  # [B, T+1, N, A] bool
    actions: Tensor  # [B, T, N] int64
    reward: Tensor  # [B, T] float32
    terminated: Tensor  # [B, T] bool
    length: Tensor  # [B] int64
    info: dict[str, Tensor] = field(
        default_factory=dict
    )  # {name: [B]} outcomes; statistics only, never learned from
    extras: dict[str, Tensor] = field(default_factory=dict)  # {name: [B, T+1, ...]} what one method adds

    @property
    def mask(self) -> Tensor:
        """Which transitions happened: [B, T] bool. The one place where padding is defined."""
        steps = torch.arange(self.actions.shape[1], device=self.length.device)
        return steps < self.length[:, None]

    @property
    def batch_size(self) -> int:
        return self.length.shape[0]

    @property
    def returns(self) -> Tensor:
        """Undiscounted return of each episode: [B]."""
        return self.reward.sum(dim=1)

    @property
    def last_actions(self) -> Tensor:
        """The action before each observation, -1 where there is none: [B, T+1, N] int64."""
        first = self.actions.new_full((self.batch_size, 1, self.actions.shape[2]), -1)
        return torch.cat([first, self.actions], dim=1)

    def with_extras(self, **extras: Tensor) -> "Episodes":
        return replace(self, extras={**self.extras, **extras})

    def map(self, function: Callable[[Tensor], Tensor]) -> "Episodes":
        """The same record with `function` applied to every tensor in it."""
        changed = {}
        for each in fields(self):
            value = getattr(self, each.name)
            changed[each.name] = (
                {name: function(tensor) for name, tensor in value.items()}
                if isinstance(value, dict)
                else function(value)
            )
        return Episodes(**changed)

    def to(self, device: torch.device) -> "Episodes":
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))

    def rows(self, chosen: slice | Tensor) -> "Episodes":
        """Some of the episodes, with the padding they have here."""
        return self.map(lambda tensor: tensor[chosen])
