"""A GRU over whole sequences that is fast on a CPU too."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from cohort.modules import native_gru


class SequenceGRU(nn.GRU):
    """`nn.GRU` with one layer: the same weights, the same values, the same gradients (once differentiable).

    On a GPU it is cuDNN's. On a CPU, torch differentiates its own GRU step by step: three small matrix products
    and a dozen small operations backwards for every step. Here the backward pass needs one product per step, and
    the weights' gradients are one large product over all steps (docs/performance.md has the measurements). Where
    there is a C compiler, the loops over steps are C (native_gru.py).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)

    def forward(self, inputs: PackedSequence) -> Tensor:
        """Sequences from their start, packed longest first, [R, I] -> the memories after every step, [R, H]."""
        if inputs.data.is_cuda:
            return super().forward(inputs)[0].data
        rows, sizes = inputs.data, inputs.batch_sizes
        if not native_gru.is_available(rows):
            return _Recurrence.apply(rows, sizes.tolist(), *self._flat_weights)
        if not torch.is_grad_enabled():
            return native_gru.memories(rows, sizes, *self._flat_weights)
        return native_gru.NativeRecurrence.apply(rows, sizes, *self._flat_weights)

    def step(self, inputs: Tensor, memory: Tensor | None) -> Tensor:
        """One step: [M, I] and the memories before it, [M, H] (None: zeros) -> those after it."""
        if memory is None:
            memory = inputs.new_zeros(len(inputs), self.hidden_size)
        return torch.gru_cell(inputs, memory, *self._flat_weights)


class _Recurrence(torch.autograd.Function):
    """h_t = (1 - z) n + z h_{t-1}, with r, z = sigmoid(U x + W h) and n = tanh(U_n x + r (W_n h + b_n)); h_0 = 0.

    Rows R stand step by step; step t has `sizes[t]` of them, never more than the step before, and row m of a step
    continues row m of the step before. Weights stand in torch's order r, z, n along the first dimension, 3 H long.
    Steps are short, so every operation in their loops counts: tensors are written once, in place, and have no gaps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        sizes: list[int],
        w_input: Tensor,
        w_memory: Tensor,
        b_input: Tensor,
        b_memory: Tensor,
    ) -> Tensor:
        """[R, I], T sizes, [3H, I], [3H, H], [3H], [3H] -> [R, H]."""
        size = w_memory.shape[1]
        parts = [2 * size, size]  # r and z, n
        (b_gates, b_new), (b_recurrent, b_gated) = b_input.split(parts), b_memory.split(parts)
        into_gates, into_new = w_input.t().split(parts, dim=1)
        gates = torch.addmm(b_gates + b_recurrent, inputs, into_gates)  # U x + b, becomes r, z
        # tanh(x) = 2 sigmoid(2 x) - 1; torch's own tanh takes several times as long
        new = torch.addmm(b_new, inputs, into_new, beta=2, alpha=2)  # 2 U_n x + 2 b, becomes n
        gated = inputs.new_empty(len(inputs), size)  # W_n h + b_n, what r lets through
        memories = inputs.new_empty(len(inputs), size)
        from_memory, gated_memory = w_memory.t().split(parts, dim=1)
        minus_one = inputs.new_tensor(-1.0)
        memory = inputs.new_zeros(sizes[0], size)
        each_step = (gates, *gates.split(size, dim=1), gated, new, memories)
        steps = zip(sizes, *(each.split(sizes) for each in each_step), strict=True)
        for rows, gate, reset, update, kept, candidate, after in steps:
            memory = memory[:rows]
            gate.addmm_(memory, from_memory).sigmoid_()
            torch.addmm(b_gated, memory, gated_memory, out=kept)
            candidate.addcmul_(reset, kept, value=2).sigmoid_()
            torch.add(minus_one, candidate, alpha=2, out=candidate)
            memory = torch.lerp(candidate, memory, update, out=after)
        ctx.sizes = sizes
        ctx.save_for_backward(inputs, w_input, w_memory, gates, gated, new, memories)
        return memories

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, w_input, w_memory, gates, gated, new, memories = ctx.saved_tensors
        sizes, size = ctx.sizes, w_memory.shape[1]
        reset, update = gates.split(size, dim=1)  # [R, H] each
        steps = memories.split(sizes)
        before = torch.cat(
            [
                memories.new_zeros(sizes[0], size),
                *(step[:rows] for step, rows in zip(steps[:-1], sizes[1:], strict=True)),
            ]
        )

        # dh_t by what enters r, by what enters z, by W_n h + b_n: none depends on the gradient yet to come
        factors = torch.empty(len(inputs), 3, size, dtype=inputs.dtype)
        by_reset, by_update, by_gated = factors.unbind(1)
        keep = 1 - update
        by_new = torch.addcmul(keep, keep * new, new, value=-1)
        torch.mul(by_new, reset, out=by_gated)
        torch.mul(by_gated, gated, out=by_reset).mul_(1 - reset)
        torch.sub(before, new, out=by_update).mul_(update).mul_(keep)

        totals = grad.clone()  # becomes dL/dh_t over all paths
        flat = factors.view(-1, 3 * size)  # becomes dL by what enters
        parts = [each.split(sizes) for each in (totals, factors, flat, update)]
        steps = [(total, *each) for total, *each in zip(*parts, strict=True)]
        for step in range(len(sizes) - 1, 0, -1):
            total, factor, entering, kept = steps[step]
            factor.mul_(total.unsqueeze(1))
            earlier = steps[step - 1][0][: sizes[step]]
            earlier.addcmul_(total, kept).addmm_(entering, w_memory)
        steps[0][1].mul_(steps[0][0].unsqueeze(1))

        grad_w_memory, grad_b_memory = flat.t() @ before, flat.sum(dim=0)
        torch.mul(totals, by_new, out=by_gated)  # the inputs reach n without passing r
        grad_w_input, grad_b_input = flat.t() @ inputs, flat.sum(dim=0)
        grad_inputs = flat @ w_input if ctx.needs_input_grad[0] else None
        return grad_inputs, None, grad_w_input, grad_w_memory, grad_b_input, grad_b_memory
