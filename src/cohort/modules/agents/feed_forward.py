"""What agents' networks without a memory have in common: rows are all they see."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class FeedForward(nn.Module, ABC):
    """A network of what agents observe at one moment; a kind of network adds `rows`."""

    recurrent = False

    @abstractmethod
    def rows(self, inputs: Tensor) -> Tensor:
        """A batch to learn from: [R, N, I] -> [R, N, outputs]."""

    def step(self, inputs: Tensor, hidden: None) -> tuple[Tensor, None]:
        """One step while acting: [B, N, I] -> [B, N, outputs]. There is no memory."""
        return self.rows(inputs), None

    def unroll(self, inputs: Tensor, sizes: Tensor) -> Tensor:
        """Whole sequences, packed: [R, N, I], [T] of `PackedSequence`, which needs no memory -> [R, N, outputs]."""
        return self.rows(inputs)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Single moments, [B, N, I] -> [B, N, outputs], or whole sequences.

        [B, T, N, I], [B] of at most T -> [B, T, N, outputs], zeros behind the end: what is padding is not computed.
        """
        if lengths is None:
            return self.rows(inputs)
        real = torch.arange(inputs.shape[1], device=lengths.device) < lengths[:, None]  # [B, T]
        rows = self.rows(inputs[real])  # [R, N, outputs]
        return rows.new_zeros(*real.shape, *rows.shape[1:]).masked_scatter(real[..., None, None], rows)
