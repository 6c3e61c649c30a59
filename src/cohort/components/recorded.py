"""Small tensor programs without Python between their operations."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Recorded:
    """A pure function whose tensor operations are recorded at one of its calls, and from then on run one by one.

    The operations, their order and so their numbers are the function's own. Where tensors are small, Python costs
    more than they do, and a recorded function takes half the time. Recording costs as much as some hundred calls and
    ten kilobytes an operation, which torch keeps until the process ends; it is done once for all arguments of the same
    shapes.

    Arguments and results are tensors, and tuples, named tuples and dictionaries of them. Nothing in the function may
    depend on what stands in a tensor, nor draw a random number. What the function finds elsewhere, as an object's
    attributes, stays what it was when it was recorded.
    """

    def __init__(self, function: Callable[..., Any], after: int = 0) -> None:
        """`after`: calls with arguments of the same shapes that run the function itself: short use repays nothing."""
        self._function, self._after = function, after
        self._calls: Counter[tuple[torch.Size, ...]] = Counter()
        self._programs: dict[tuple[torch.Size, ...], _Program] = {}

    def __call__(self, *arguments: Any) -> Any:
        leaves = list(_leaves(arguments))
        shapes = tuple(leaf.shape for leaf in leaves)
        if shapes not in self._programs:
            if self._calls[shapes] < self._after:
                self._calls[shapes] += 1
                return self._function(*arguments)
            self._programs[shapes] = self._record(arguments, leaves)
        program = self._programs[shapes]
        with torch.jit.optimized_execution(False):  # optimising would take seconds and bring nothing
            return _formed(program.result, iter(program.play(*leaves)))

    def _record(self, arguments: tuple, leaves: list[Tensor]) -> "_Program":
        result = None

        def flat(*leaves: Tensor) -> tuple[Tensor, ...]:
            nonlocal result
            result = self._function(*_formed(arguments, iter(leaves)))
            return tuple(_leaves(result))

        with warnings.catch_warnings():
            # torch recommends its compiler, which takes half a minute, and cannot know that sizes stay as they are
            warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            return _Program(torch.jit.trace(flat, leaves, check_trace=False), result)


class _Program(NamedTuple):
    """What was recorded with arguments of some shapes."""

    play: Callable[..., tuple[Tensor, ...]]  # of their tensors
    result: Any  # of the first call, for its form


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
