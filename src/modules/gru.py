"""A GRU over whole sequences that is fast on a CPU too."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


class SequenceGRU(nn.GRU):
    """`nn.GRU` with one layer: the same weights, the same values, the same gradients (once differentiable).

    On a GPU it is cuDNN's. On a CPU, torch differentiates its own GRU step by step: three small matrix products
    and a dozen small operations backwards for every step. Here the backward pass needs one product per step, and
    the weights' gradients are one large product over all steps (docs/performance.md has the measurements).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)

    def forward(self, inputs: PackedSequence, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Sequences packed longest first, [R, I], and their first memories [1, M, H] (None: zeros).

        Returns the memories after every step, [R, H] in the same order, and after the last step of the longest.
        """
        rows, sizes = inputs.data, inputs.batch_sizes.tolist()
        if rows.is_cuda:
            memories = super().forward(inputs, hidden)[0].data
        else:
            first = rows.new_zeros(sizes[0], self.hidden_size) if hidden is None else hidden[0]
            memories = _Recurrence.apply(rows, sizes, first, *self._flat_weights)
        return memories, memories[-sizes[-1] :].unsqueeze(0)


class _Recurrence(torch.autograd.Function):
    """h_t = (1 - z) n + z h_{t-1}, with r, z = sigmoid(U x + W h) and n = tanh(U_n x + r (W_n h + b_n)).

    Rows R stand step by step; step t has `sizes[t]` of them, never more than the step before, and row m of a step
    continues row m of the step before. Gates stand in torch's order r, z, n along the last dimension, 3 H wide.
    Large tensors are written once and in place: on a CPU a pass over memory costs as much as a product.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        sizes: list[int],
        first: Tensor,
        w_input: Tensor,
        w_memory: Tensor,
        b_input: Tensor,
        b_memory: Tensor,
    ) -> Tensor:
        """[R, I], T sizes, [M, H], [3H, I], [3H, H], [3H], [3H] -> [R, H]."""
        size = first.shape[1]
        gates = torch.addmm(b_input, inputs, w_input.t())  # U x + b, becomes r, z, n
        gates[:, 2 * size :].mul_(
            2
        )  # tanh(x) = 2 sigmoid(2 x) - 1; torch's own tanh takes several times as long
        gated = inputs.new_empty(len(inputs), size)  # W_n h + b_n, what r lets through
        memories = inputs.new_empty(len(inputs), size)
        recurrent = inputs.new_empty(len(first), 3 * size)
        minus_one = inputs.new_tensor(-1.0)
        memory = first
        for gate, kept, after in zip(*(each.split(sizes) for each in (gates, gated, memories)), strict=True):
            memory, from_memory = memory[: len(gate)], recurrent[: len(gate)]
            torch.addmm(b_memory, memory, w_memory.t(), out=from_memory)
            both = gate[:, : 2 * size].add_(from_memory[:, : 2 * size]).sigmoid_()
            kept.copy_(from_memory[:, 2 * size :])
            new = gate[:, 2 * size :].addcmul_(both[:, :size], kept, value=2).sigmoid_()
            torch.add(minus_one, new, alpha=2, out=new)
            memory = torch.lerp(new, memory, both[:, size:], out=after)
        ctx.sizes = sizes
        ctx.save_for_backward(inputs, first, w_input, w_memory, gates, gated, memories)
        return memories

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, first, w_input, w_memory, gates, gated, memories = ctx.saved_tensors
        sizes, size = ctx.sizes, first.shape[1]
        reset, update, new = gates.split(size, dim=-1)  # [R, H] each
        steps = memories.split(sizes)
        before = torch.cat(
            [first[: sizes[0]], *(step[:rows] for step, rows in zip(steps[:-1], sizes[1:], strict=True))]
        )

        # dh_t by what enters r, by what enters z, by W_n h + b_n: none depends on the gradient yet to come
        factors = torch.empty_like(gates).unflatten(-1, (3, size))  # [R, 3, H]
        by_reset, by_update, by_gated = factors.unbind(-2)
        keep = 1 - update
        by_new = torch.addcmul(keep, keep * new, new, value=-1)
        torch.mul(by_new, reset, out=by_gated)
        torch.mul(by_gated, gated, out=by_reset).mul_(1 - reset)
        torch.sub(before, new, out=by_update).mul_(update).mul_(keep)

        totals = grad.clone()  # becomes dL/dh_t over all paths
        carry = grad.new_empty(0, size)
        parts = [each.split(sizes) for each in (totals, factors, update)]
        for total, factor, kept in reversed(list(zip(*parts, strict=True))):
            total[: len(carry)].add_(carry)
            into_gates = factor.mul_(total.unsqueeze(1))  # from here on dL by what enters
            carry = torch.addmm(total * kept, into_gates.view(len(total), -1), w_memory)

        flat = factors.view(-1, 3 * size)
        grad_w_memory, grad_b_memory = flat.t() @ before, flat.sum(dim=0)
        torch.mul(totals, by_new, out=by_gated)  # the inputs reach n without passing r
        grad_w_input, grad_b_input = flat.t() @ inputs, flat.sum(dim=0)
        grad_inputs = flat @ w_input if ctx.needs_input_grad[0] else None
        return grad_inputs, None, carry, grad_w_input, grad_w_memory, grad_b_input, grad_b_memory
