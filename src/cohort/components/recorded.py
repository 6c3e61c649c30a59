"""Small tensor programs without Python between their operations."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


class Recorded:
    """A pure function whose tensor operations are recorded at its first call, and from then on run one by one.

    The operations, their order and so their numbers are the function's own. Where tensors are small, Python costs
    more than they do, and a recorded function takes half the time; recording takes less than a tenth of a second.

    Arguments and results are tensors, and tuples, named tuples and dictionaries of them. Nothing in the function may
    depend on what stands in a tensor, nor draw a random number. Arguments keep the shapes of the first call, and what
    the function finds elsewhere, as an object's attributes, stays what it was then.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._play: Callable[..., tuple[Tensor, ...]] | None = None
        self._result: Any = None  # of the first call, for its form

    def __call__(self, *arguments: Any) -> Any:
        leaves = list(_leaves(arguments))
        if self._play is None:
            self._play = self._record(arguments, leaves)
        with torch.jit.optimized_execution(False):  # optimising would take seconds and bring nothing
            return _formed(self._result, iter(self._play(*leaves)))

    def _record(self, arguments: tuple, leaves: list[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
        def flat(*leaves: Tensor) -> tuple[Tensor, ...]:
            self._result = self._function(*_formed(arguments, iter(leaves)))
            return tuple(_leaves(self._result))

        with warnings.catch_warnings():
            # torch recommends its compiler, which takes half a minute, and cannot know that sizes stay as they are
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            return torch.jit.trace(flat, leaves, check_trace=False)


def _leaves(value: Any) -> Iterator[Tensor]:
    """All tensors in it, in order."""
    if isinstance(value, Tensor):
        yield value
    else:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)


def _formed(pattern: Any, leaves: Iterator[Tensor]) -> Any:
    """What has the form of `pattern`, with these tensors in place of its own."""
    if isinstance(pattern, Tensor):
        return next(leaves)
    if isinstance(pattern, dict):
        return {name: _formed(part, leaves) for name, part in pattern.items()}
    parts = [_formed(part, leaves) for part in pattern]
    return type(pattern)(*parts) if hasattr(pattern, "_fields") else tuple(parts)
