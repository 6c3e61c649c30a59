"""Where the real rows of a batch of episodes are, so that what is padding is never computed."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """The order in which a recurrent network reads B padded episodes: moment by moment, the longest episodes first.

    An episode of L steps has L + 1 moments, its observations. P moments and R = P - B steps are real. As the longest
    stand first, the rows of moment t continue the first rows of moment t - 1, and the moments after the R steps are
    the rows from B on.
    """

    sizes: Tensor  # [T+1] int64, on the CPU as `PackedSequence` has it: episodes that have each moment
    moments: Tensor  # [P] int64, where each row stands in [B, T+1], flattened
    steps: Tensor  # [R] int64, where each step stands in [B, T], flattened
    before: Tensor  # [R] int64, the row of the moment before each step

    @classmethod
    def of(cls, length: Tensor, steps: int) -> Self:
        """Of episodes of these lengths, [B] int64, padded to `steps` T."""
        sorted_length, order = length.sort(descending=True, stable=True)
        time = torch.arange(steps + 1, device=length.device).unsqueeze(1)
        moment, place = torch.nonzero(time <= sorted_length, as_tuple=True)
        step, step_place = torch.nonzero(time[:-1] < sorted_length, as_tuple=True)
        sizes = (time <= sorted_length).sum(dim=1)
        begins = sizes.cumsum(dim=0) - sizes
        return cls(
            sizes=sizes.cpu(),
            moments=order[place] * (steps + 1) + moment,
            steps=order[step_place] * steps + step,
            before=begins[step] + step_place,
        )

    @classmethod
    def of_single_steps(cls, episodes: int, device: torch.device) -> Self:
        """`of` so many episodes of one step."""
        row = torch.arange(episodes, device=device)
        return cls(
            sizes=torch.full((2,), episodes), moments=torch.cat([2 * row, 2 * row + 1]), steps=row, before=row
        )

    def of_moments(self, values: Tensor) -> Tensor:
        """[B, T+1, ...] -> [P, ...]."""
        return values.flatten(0, 1).index_select(0, self.moments)

    def of_steps(self, values: Tensor) -> Tensor:
        """[B, T, ...] -> [R, ...]."""
        return values.flatten(0, 1).index_select(0, self.steps)

    def before_steps(self, rows: Tensor) -> Tensor:
        """What stands at the moment before each step: [P, ...] -> [R, ...]."""
        return rows.index_select(0, self.before)

    def after_steps(self, rows: Tensor) -> Tensor:
        """What stands at the moment after each step: [P, ...] -> [R, ...], without a copy."""
        return rows[len(self.moments) - len(self.steps) :]

    def padded(self, rows: Tensor) -> Tensor:
        """Of each step, back in its place: [R, ...] -> [B, T, ...], zeros in padding."""
        batch, steps = len(self.moments) - len(self.steps), len(self.sizes) - 1
        places = rows.new_zeros(batch * steps, *rows.shape[1:]).index_copy(0, self.steps, rows)
        return places.unflatten(0, (batch, steps))
