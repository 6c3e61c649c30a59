"""The GRU's recurrence with its loops over time in C (native/gru.c)."""

import ctypes
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cohort.components.native import native_library

_SOURCE = Path(__file__).parent / "native" / "gru.c"
_DEFINITIONS = {torch.float32: (), torch.float64: ("DOUBLE",)}


def is_available(inputs: Tensor) -> bool:
    """Whether sequences of this type and on this device can be read here."""
    return inputs.device.type == "cpu" and _functions(inputs.dtype) is not None


def _functions(dtype: torch.dtype) -> ctypes.CDLL | None:
    if dtype not in _DEFINITIONS:
        return None
    return native_library(_SOURCE, *_DEFINITIONS[dtype])


def _call(name: str, sizes: Tensor, size: int, inputs: Tensor, *tensors: Tensor | None) -> None:
    """Call a function of gru.c; all tensors have no gaps."""
    pointers = [None if each is None else ctypes.c_void_p(each.data_ptr()) for each in (inputs, *tensors)]
    numbers = (ctypes.c_int64(each) for each in (size, inputs.shape[1]))
    steps, function = ctypes.c_int64(len(sizes)), getattr(_functions(inputs.dtype), name)
    if function(steps, ctypes.c_void_p(sizes.data_ptr()), *numbers, *pointers):
        raise MemoryError("not enough memory for a block of rows")


def memories(inputs: Tensor, sizes: Tensor, *weights: Tensor) -> Tensor:
    """What `NativeRecurrence` gives, where no gradient is wanted."""
    after = inputs.new_empty(len(inputs), weights[1].shape[1])
    tensors = [each.contiguous() for each in (inputs, *weights)]
    _call("gru_forward", sizes, after.shape[1], *tensors, after, None, None)
    return after


class NativeRecurrence(torch.autograd.Function):
    """`gru._Recurrence` with its loops in C: the same numbers to rounding."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, sizes: Tensor, *weights: Tensor) -> Tensor:
        """[R, I], [T] int64 on the CPU, then [3H, I], [3H, H], [3H], [3H] -> [R, H]."""
        size = weights[1].shape[1]
        after, gated = inputs.new_empty(len(inputs), size), inputs.new_empty(len(inputs), size)
        gates = inputs.new_empty(len(inputs), 3 * size)
        inputs, *weights = (each.contiguous() for each in (inputs, *weights))
        _call("gru_forward", sizes, size, inputs, *weights, after, gates, gated)
        ctx.save_for_backward(sizes, inputs, *weights[:2], after, gates, gated)
        return after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        sizes, inputs, w_input, w_memory, after, gates, gated = ctx.saved_tensors
        size = w_memory.shape[1]
        by_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        by_weights = torch.empty_like(w_input), torch.empty_like(w_memory)
        by_biases = inputs.new_empty(3 * size), inputs.new_empty(3 * size)
        given = (inputs, w_input, w_memory, after, gates, gated, grad.contiguous())
        _call("gru_backward", sizes, size, *given, by_inputs, *by_weights, *by_biases)
        return by_inputs, None, *by_weights, *by_biases
