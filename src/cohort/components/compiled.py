"""Small tensor programs that torch's compiler makes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cohort.components.recorded import Flat, Recorded, operations

# Its programs ask at every call for the size and stride of each tensor that they are given or make, which is a fifth of
# a step of twenty units. Here sizes choose the program, and all arguments are made contiguous.
_UNASKED = {"size_asserts": False, "alignment_asserts": False}


class Compiled(Recorded):
    """A pure function that torch's compiler makes one program of, at its first call with arguments of some shapes.

    The numbers are the function's own to rounding. The compiler takes from half a minute to minutes, and less for what
    is in torch's cache.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any] | None = None) -> None:
        """`options` are those of torch's compiler, Inductor."""
        super().__init__(function)
        self._options = _UNASKED | (options or {})

    def _record(self, flat: Flat, leaves: list[Tensor]) -> Flat:
        from torch import _inductor  # seconds that only those pay who ask for it

        # `torch.compile` would read the function's Python instead, which takes longer, does not know all of it, and
        # asks before each call whether anything that it read has changed
        with torch.inference_mode(False), torch.no_grad():
            # the compiler cannot take those of inference mode
            leaves = [leaf.clone(memory_format=torch.contiguous_format) for leaf in leaves]
            program = _inductor.compile(operations(flat, leaves), leaves, options=self._options)
        return lambda *leaves: program(*(leaf.contiguous() for leaf in leaves))
