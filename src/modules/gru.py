"""A GRU over whole sequences that is fast on a CPU too."""

from typing import Any

import torch
from torch import Tensor, nn


class SequenceGRU(nn.GRU):
    """`nn.GRU` with one layer: the same weights, the same values, the same gradients (once differentiable).

    On a GPU it is cuDNN's. On a CPU, torch differentiates its own GRU step by step: three small matrix products
    and a dozen small operations backwards for every step. Here the backward pass needs one product per step, and
    the weights' gradients are one large product over all steps (docs/performance.md has the measurements).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[T, M, I] and [1, M, H] (None: zeros) -> memories after every step [T, M, H] and the last, [1, M, H]."""
        if inputs.is_cuda:
            return super().forward(inputs, hidden)
        if hidden is None:
            hidden = inputs.new_zeros(1, inputs.shape[1], self.hidden_size)
        memories = _Recurrence.apply(inputs, hidden[0], *self._flat_weights)
        return memories, memories[-1:]


class _Recurrence(torch.autograd.Function):
    """h_t = (1 - z) n + z h_{t-1}, with r, z = sigmoid(U x + W h) and n = tanh(U_n x + r (W_n h + b_n)).

    Gates stand in torch's order r, z, n along the last dimension, 3 H wide. Large tensors are written once and in
    place: on a CPU a pass over memory costs as much as a product.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        first: Tensor,
        w_input: Tensor,
        w_memory: Tensor,
        b_input: Tensor,
        b_memory: Tensor,
    ) -> Tensor:
        """[T, M, I], [M, H], [3H, I], [3H, H], [3H], [3H] -> [T, M, H]."""
        steps, rows, size = inputs.shape[0], *first.shape
        gates = inputs.new_empty(steps, rows, 3 * size)  # r, z, n
        gated = inputs.new_empty(steps, rows, size)  # W_n h + b_n, what r lets through
        memories = inputs.new_empty(steps, rows, size)
        recurrent = inputs.new_empty(rows, 3 * size)
        of_reset_and_update, of_new = recurrent[:, : 2 * size], recurrent[:, 2 * size :]
        memory = first
        for x, gate, kept, after in zip(inputs, gates, gated, memories, strict=True):
            torch.addmm(b_input, x, w_input.t(), out=gate)
            torch.addmm(b_memory, memory, w_memory.t(), out=recurrent)
            both = gate[:, : 2 * size].add_(of_reset_and_update).sigmoid_()
            kept.copy_(of_new)
            new = gate[:, 2 * size :].addcmul_(both[:, :size], kept)
            new.mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh; torch's own takes several times as long
            memory = torch.lerp(new, memory, both[:, size:], out=after)
        ctx.save_for_backward(inputs, first, w_input, w_memory, gates, gated, memories)
        return memories

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, first, w_input, w_memory, gates, gated, memories = ctx.saved_tensors
        rows, size = first.shape
        reset, update, new = gates.split(size, dim=-1)  # [T, M, H] each
        before = torch.cat([first.unsqueeze(0), memories[:-1]])

        # dh_t by what enters r, by what enters z, by W_n h + b_n: none depends on the gradient yet to come
        factors = torch.empty_like(gates).unflatten(-1, (3, size))  # [T, M, 3, H]
        by_reset, by_update, by_gated = factors.unbind(-2)
        keep = 1 - update
        by_new = torch.addcmul(keep, keep * new, new, value=-1)
        torch.mul(by_new, reset, out=by_gated)
        torch.mul(by_gated, gated, out=by_reset).mul_(1 - reset)
        torch.sub(before, new, out=by_update).mul_(update).mul_(keep)

        totals = torch.empty_like(memories)  # dL/dh_t over all paths
        carry = torch.zeros_like(first)
        for t in range(len(grad) - 1, -1, -1):
            total = torch.add(grad[t], carry, out=totals[t])
            into_gates = factors[t].mul_(total.unsqueeze(1))  # from here on dL by what enters
            carry = torch.addmm(total * update[t], into_gates.view(rows, -1), w_memory)

        flat = factors.view(-1, 3 * size)
        grad_w_memory, grad_b_memory = flat.t() @ before.view(-1, size), flat.sum(dim=0)
        torch.mul(totals, by_new, out=by_gated)  # the inputs reach n without passing r
        grad_w_input, grad_b_input = flat.t() @ inputs.reshape(-1, inputs.shape[-1]), flat.sum(dim=0)
        grad_inputs = (flat @ w_input).view(inputs.shape) if ctx.needs_input_grad[0] else None
        return grad_inputs, carry, grad_w_input, grad_w_memory, grad_b_input, grad_b_memory
