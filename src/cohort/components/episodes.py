"""`Episodes`: what runners return, memories keep and learners read."""

from collections.abc import Callable, Sequence
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
    actions: Tensor  # [B, T, N] int64, or [B, T, N, U] float32 where actions are continuous
    reward: Tensor  # [B, T] float32, or [B, T, N] where agents have rewards of their own
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
    def truncated(self) -> Tensor:
        """The last transition of each episode that was cut off instead of ending: [B, T] bool."""
        steps = torch.arange(self.actions.shape[1], device=self.length.device)
        return (steps == self.length[:, None] - 1) & ~self.terminated

    @property
    def batch_size(self) -> int:
        return self.length.shape[0]

    @property
    def returns(self) -> Tensor:
        """Undiscounted return of each episode, of all agents together: [B]."""
        return self.reward.flatten(1).sum(dim=1)

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

    @staticmethod
    def concatenated(parts: Sequence["Episodes"]) -> "Episodes":
        """All episodes of `parts`, padded to the longest of them. Extras must be the same in all parts."""
        if len(parts) == 1:
            return parts[0]
        steps = max(part.actions.shape[1] for part in parts)
        padded = [part._padded_to(steps) for part in parts]

        def joined(name: str) -> Tensor | dict[str, Tensor]:
            values = [getattr(part, name) for part in padded]
            if isinstance(values[0], dict):
                return {key: torch.cat([value[key] for value in values]) for key in values[0]}
            return torch.cat(values)

        return Episodes(**{each.name: joined(each.name) for each in fields(Episodes)})

    def _padded_to(self, steps: int) -> "Episodes":
        more = steps - self.actions.shape[1]

        def longer(tensor: Tensor) -> Tensor:
            return torch.cat([tensor, tensor.new_zeros(len(tensor), more, *tensor.shape[2:])], dim=1)

        if not more:
            return self
        per_step = {
            each.name: longer(getattr(self, each.name))
            for each in fields(self)
            if each.name not in ("length", "info", "extras")
        }
        return replace(self, **per_step, extras={name: longer(value) for name, value in self.extras.items()})

    def rows(self, chosen: slice | Tensor) -> "Episodes":
        """Some of the episodes, with the padding they have here."""
        return self.map(lambda tensor: tensor[chosen])
