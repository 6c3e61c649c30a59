"""Parameters that stand in a few long tensors, so that an optimiser takes few and long steps."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class FlatParameters:
    """For each piece one long tensor, of which the parameters, and their gradients, become views.

    A piece is what a loss reaches as a whole or not at all, as a network: one without a gradient has None, which
    optimisers pass over. The parameters stay the networks' own: named, saved and loaded as before.
    """

    def __init__(self, pieces: Iterable[Sequence[nn.Parameter]]) -> None:
        """Move the parameters into long tensors; those of a piece have one type and device.

        One that several pieces have, as a layer that two networks share, stays with the first.
        """
        seen: set[nn.Parameter] = set()
        self.pieces: list[list[nn.Parameter]] = []
        for piece in pieces:
            if own := [each for each in piece if each not in seen]:
                self.pieces.append(own)
                seen.update(own)
        self.flat = [nn.Parameter(torch.cat([each.detach().flatten() for each in p])) for p in self.pieces]
        self._gradients = [torch.zeros_like(flat) for flat in self.flat]
        self._views = []
        for piece, flat, gradient in zip(self.pieces, self.flat, self._gradients, strict=True):
            sizes = [each.numel() for each in piece]
            for each, place in zip(piece, flat.detach().split(sizes), strict=True):
                each.data = place.view_as(each)
            places = gradient.split(sizes)
            self._views.append([place.view_as(each) for each, place in zip(piece, places, strict=True)])

    @property
    def parameters(self) -> list[nn.Parameter]:
        """One after the other, as gradients come."""
        return [each for piece in self.pieces for each in piece]

    def set_gradient(self, gradient: Sequence[Tensor | None]) -> None:
        """Give the long tensors and the parameters their gradients, None to pieces that have none anywhere.

        A parameter without one in a piece that has others counts as one whose gradient is zero.
        """
        begin = 0
        for piece, flat, whole, views in zip(
            self.pieces, self.flat, self._gradients, self._views, strict=True
        ):
            own = gradient[begin : begin + len(piece)]
            begin += len(piece)
            reached = any(each is not None for each in own)
            flat.grad = whole if reached else None
            if reached:
                parts = [torch.zeros_like(p) if g is None else g for p, g in zip(piece, own, strict=True)]
                torch.cat([each.flatten() for each in parts], out=whole)
            for each, view in zip(piece, views, strict=True):
                each.grad = view if reached else None
