"""Small tensor programs without Python between their operations."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Recorded:
    """A pure function whose tensor operations are recorded at one of its calls, and from then on run one by one.

    The operations, their order and so their numbers are the function's own. Where tensors are small, Python costs
    more than they do, and a recorded function takes half the time. Recording costs as much as some hundred calls and
    ten kilobytes an operation, which torch keeps until the process ends; it is done once for all arguments of the same
    shapes.

    Arguments and results are tensors and None, and tuples, named tuples, data classes and dictionaries of them. Nothing
    in the function may depend on what stands in a tensor, nor draw a random number. What the function finds elsewhere,
    as an object's attributes, stays what it was when it was recorded; tensors among that, as parameters, are read anew
    at each call, so that it follows what is written into them.
    """

    def __init__(self, function: Callable[..., Any], after: int = 0, *, differentiates: bool = False) -> None:
        """Nothing is recorded yet.

        Args:
            function: what is recorded.
            after: calls with arguments of the same shapes that run the function itself: short use repays nothing.
            differentiates: the function asks for gradients on its way, which are recorded, too; no gradient passes
                through its results, nor to its arguments. Recording then takes some ten seconds, and sympy's memory.
        """
        self._function, self._after, self._differentiates = function, after, differentiates
        self._calls: Counter[tuple[torch.Size, ...]] = Counter()
        self._programs: dict[tuple[torch.Size, ...], _Program] = {}

    def __call__(self, *arguments: Any) -> Any:
        leaves = list(_leaves(arguments))
        shapes = tuple(leaf.shape for leaf in leaves)
        if shapes not in self._programs:
            if self._calls[shapes] < self._after:
                self._calls[shapes] += 1
                return self._function(*arguments)
            self._programs[shapes] = self._make(arguments, leaves)
        program = self._programs[shapes]
        differentiable = torch.is_grad_enabled() and not self._differentiates
        # optimising would take seconds and bring nothing
        with torch.set_grad_enabled(differentiable), torch.jit.optimized_execution(False):
            return _formed(program.result, iter(program.play(*leaves)))

    def _make(self, arguments: tuple, leaves: list[Tensor]) -> "_Program":
        result = None

        def flat(*leaves: Tensor) -> tuple[Tensor, ...]:
            nonlocal result
            result = self._function(*_formed(arguments, iter(leaves)))
            return tuple(_leaves(result))

        return _Program(self._record(flat, leaves), result)

    def _record(self, flat: "Flat", leaves: list[Tensor]) -> "Flat":
        """What does from now on what `flat` does with tensors like these."""
        with warnings.catch_warnings():
            # torch recommends its compiler, which takes half a minute, and cannot know that sizes stay as they are
            warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            program = operations(flat, leaves) if self._differentiates else flat
            return torch.jit.trace(program, leaves, check_trace=False)


Flat = Callable[..., tuple[Tensor, ...]]  # of tensors alone


def operations(function: Flat, leaves: list[Tensor]) -> Any:
    """A function's tensor operations, those of gradients that it asks for among them, as a function of nothing else."""
    # with sympy and all: two seconds that only those pay who ask for it
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(function)(*leaves)


class _Program(NamedTuple):
    """What was recorded with arguments of some shapes."""

    play: Flat  # of their tensors
    result: Any  # of the first call, for its form


def _leaves(value: Any) -> Iterator[Tensor]:
    """All tensors in it, in order."""
    if isinstance(value, Tensor):
        yield value
    elif value is not None:
        named = vars(value) if is_dataclass(value) else value
        for part in named.values() if isinstance(named, dict) else named:
            yield from _leaves(part)


def _formed(pattern: Any, leaves: Iterator[Tensor]) -> Any:
    """What has the form of `pattern`, with these tensors in place of its own."""
    if isinstance(pattern, Tensor):
        return next(leaves)
    if pattern is None:
        return None
    if is_dataclass(pattern):
        return replace(pattern, **_formed(vars(pattern), leaves))
    if isinstance(pattern, dict):
        return {name: _formed(part, leaves) for name, part in pattern.items()}
    parts = [_formed(part, leaves) for part in pattern]
    return type(pattern)(*parts) if hasattr(pattern, "_fields") else tuple(parts)
