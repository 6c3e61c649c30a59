"""Taking over from saved networks what fits into others, by name and shape."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Transfer:
    """What of some saved networks became part of others, and what did not.

    Attributes:
        matched: the tensors that were copied.
        other_shape: those that both have in different shapes: there, here.
        together: those that fit and were left, since others that describe the same as they do not fit.
        only_here, only_there: those that one of them has.
    """

    matched: list[str]
    other_shape: dict[str, tuple[list[int], list[int]]]
    together: list[str]
    only_here: list[str]
    only_there: list[str]

    def as_dict(self) -> dict[str, Any]:
        shapes = {name: {"there": one, "here": other} for name, (one, other) in self.other_shape.items()}
        return asdict(self) | {"other_shape": shapes}

    def of_networks(self) -> Iterator[tuple[str, int, int]]:
        """Each network of ours by name: how many of its tensors were copied, and how many it has."""
        ours = [*self.matched, *self.other_shape, *self.together, *self.only_here]
        for network in dict.fromkeys(name.partition(".")[0] for name in ours):
            own, copied = (sum(each.startswith(f"{network}.") for each in x) for x in (ours, self.matched))
            yield network, copied, own


@torch.no_grad()
def take_over(networks: nn.Module, saved: Mapping[str, Tensor]) -> Transfer:
    """Copy into `networks` what matches of a `state_dict`, in place; the rest stays as it is.

    The buffers of one module, as a batch normalisation's mean and variance or the roles' sets of actions, describe one
    thing: all of them are copied or none.
    """
    own = networks.state_dict()
    shared = [name for name in own if name in saved]
    shapes = {name: (list(saved[name].shape), list(own[name].shape)) for name in shared}
    other_shape = {name: pair for name, pair in shapes.items() if pair[0] != pair[1]}
    fits = {name for name in shared if name not in other_shape}
    together = {
        name for group in _buffers(networks, own) if not fits.issuperset(group) for name in group
    } & fits
    matched = [name for name in shared if name in fits - together]
    for name in matched:
        own[name].copy_(saved[name])
    return Transfer(
        matched=matched,
        other_shape=other_shape,
        together=sorted(together),
        only_here=[name for name in own if name not in saved],
        only_there=[name for name in saved if name not in own],
    )


def _buffers(networks: nn.Module, saved: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """The names of each module's own buffers, as far as they are saved."""
    for prefix, module in networks.named_modules():
        names = [f"{prefix}.{name}".lstrip(".") for name, _ in module.named_buffers(recurse=False)]
        yield [name for name in names if name in saved]
