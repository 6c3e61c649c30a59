"""`Episodes`: what runners return, memories keep and learners read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from cohort.components.pictures import as_numbers
from cohort.components.transitions import Transitions

SEEN = ("obs", "state", "available_actions")  # [B, T+1, ...]: before the first step, and after each
DONE = ("actions", "reward", "terminated", "truncated")  # [B, T, ...]: one for each step
PADDING = {"available_actions": True}  # where it is not zero


@dataclass(frozen=True)
class Episodes:
    """B whole episodes, padded after their end to the longest of them, T steps.

    An episode of `length` L has L transitions and L + 1 observations: the last one follows the last action.
    It is a value to bootstrap from unless `terminated` is set on the last transition. Padding is zero, and every action
    is available there, so that a policy is defined everywhere.
    """

    obs: Tensor  # [B, T+1, N, O] float32; uint8 where they are pictures, until `as_numbers`
    state: Tensor  # [B, T+1, S] float32, or uint8 likewise
    available_actions: Tensor  # [B, T+1, N, A] bool, at least one for each agent
    actions: Tensor  # [B, T, N] int64, or [B, T, N, U] float32 where actions are continuous
    reward: Tensor  # [B, T] float32, or [B, T, N] where agents have rewards of their own
    terminated: Tensor  # [B, T] bool: the game ended, no value follows
    truncated: Tensor  # [B, T] bool: the episode was cut off, a value follows
    length: Tensor  # [B] int64
    info: dict[str, Tensor] = field(
        default_factory=dict
    )  # {name: [B]} outcomes; statistics only, never learned from
    extras: dict[str, Tensor] = field(
        default_factory=dict
    )  # {name: [B, T, ...]} what acting, or one method, adds to each step

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
        """Undiscounted return of each episode, of all agents together: [B]."""
        return self.reward.flatten(1).sum(dim=1)

    @property
    def last_actions(self) -> Tensor:
        """The action before each observation: [B, T+1, N] int64, -1 where there is none; [B, T+1, N, U], 0 there."""
        none = 0 if self.actions.is_floating_point() else -1
        first = self.actions.new_full((self.batch_size, 1, *self.actions.shape[2:]), none)
        return torch.cat([first, self.actions], dim=1)

    def transitions(self) -> Transitions:
        """All steps that happened, as R single steps, episode by episode."""
        mask = self.mask

        def steps(values: Tensor) -> Tensor:
            return values[mask]

        return Transitions(
            **{name: steps(getattr(self, name)[:, :-1]) for name in SEEN},
            **{f"next_{name}": steps(getattr(self, name)[:, 1:]) for name in SEEN},
            **{name: steps(getattr(self, name)) for name in DONE},
            extras={name: steps(each) for name, each in self.extras.items()},
        )

    @classmethod
    def of_single_steps(cls, steps: Transitions) -> "Episodes":
        """B single steps as B episodes of one step, for what reads episodes. The way back is `transitions`."""
        return cls(
            **{
                name: torch.stack([getattr(steps, name), getattr(steps, f"next_{name}")], dim=1)
                for name in SEEN
            },
            **{name: getattr(steps, name).unsqueeze(1) for name in DONE},
            length=torch.ones(steps.batch_size, dtype=torch.int64, device=steps.reward.device),
            extras={name: each.unsqueeze(1) for name, each in steps.extras.items()},
        )

    def with_extras(self, **extras: Tensor) -> "Episodes":
        return replace(self, extras={**self.extras, **extras})

    def as_numbers(self) -> "Episodes":
        """With pictures of bytes as numbers, for what learns from them; memories give them so."""
        return replace(self, obs=as_numbers(self.obs), state=as_numbers(self.state))

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

        def longer(tensor: Tensor, padding: int = 0) -> Tensor:
            return torch.cat(
                [tensor, tensor.new_full((len(tensor), more, *tensor.shape[2:]), padding)], dim=1
            )

        if not more:
            return self
        per_step = {name: longer(getattr(self, name), PADDING.get(name, 0)) for name in (*SEEN, *DONE)}
        return replace(self, **per_step, extras={name: longer(value) for name, value in self.extras.items()})

    def rows(self, chosen: slice | Tensor) -> "Episodes":
        """Some of the episodes, with the padding they have here."""
        return self.map(lambda tensor: tensor[chosen])
