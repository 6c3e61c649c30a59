"""An LSTM over whole sequences, many sets of weights side by side, that can be differentiated twice and fast."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor


def lstm_sequence(inputs: Tensor, weight: Tensor, trace: "Trace | None" = None) -> Tensor:
    """Memories after every step, from zeros: gate inputs [C, T, 4H, K], recurrent weights [C, 4H, H] -> [C, T, H, K].

    C sets of weights, K sequences of T steps for each. Gates stand in torch's order i, f, g, o; `inputs` is all that
    does not come from the memory, biases included:

        i, f, o = sigmoid(x + W h),  g = tanh(x + W h),  c_t = f c_{t-1} + i g,  h_t = o tanh(c_t).

    First and second derivatives are written out by hand below; there is no third. Autograd would keep and walk, twice,
    a dozen small tensors for every step. Who has been through the same sequence step by step already hands over its
    `trace`. Sequences are the last dimension so that each gate of a step is one
    contiguous block, and all that belongs to a step is done while the step is in the cache.
    """
    return _Sequence.apply(inputs, weight, trace)


class Trace(NamedTuple):
    """What a sequence leaves behind for its derivatives."""

    gates: Tensor  # [C, T, 4H, K] after their nonlinearities
    cells: Tensor  # [C, T, H, K]
    squashed: Tensor  # [C, T, H, K], tanh of the cells
    memories: Tensor  # [C, T, H, K]


def lstm_step(
    gates: Tensor, cell: Tensor, cell_out: Tensor, squashed_out: Tensor, memory_out: Tensor
) -> None:
    """One step from what enters the gates, [C, 4H, K], which becomes the gates themselves; the rest is [C, H, K]."""
    i, f, g, o = gates.chunk(4, dim=1)
    g.mul_(2)  # tanh(x) = 2 sigmoid(2 x) - 1, in the pass that the other gates need anyway
    gates.sigmoid_()
    g.mul_(2).sub_(1)
    torch.mul(f, cell, out=cell_out).addcmul_(i, g)
    torch.tanh(cell_out, out=squashed_out)
    torch.mul(o, squashed_out, out=memory_out)


def run_lstm(inputs: Tensor, weight: Tensor) -> Trace:
    """The sequence itself. Shapes as in `lstm_sequence`."""
    size = weight.shape[2]
    gates = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    cells, squashed, memories = (torch.empty_like(gates[:, :, :size]) for _ in range(3))
    memory = cell = torch.zeros_like(cells[:, 0])
    for entering, gate, after, tanh, out in _steps(inputs, gates, cells, squashed, memories):
        torch.baddbmm(entering, weight, memory, out=gate)
        lstm_step(gate, cell, after, tanh, out)
        memory, cell = out, after
    return Trace(gates, cells, squashed, memories)


def _steps(*sequences: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(each.unbind(1) for each in sequences), strict=True)


def _steps_backwards(*sequences: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(reversed(each.unbind(1)) for each in sequences), strict=True)


def _block(sequence: Tensor) -> int:
    """Steps that are worked off together where none needs the one before.

    On a CPU it is one, so that all that belongs to a step is done while it is in the cache. On a GPU it is all of them:
    each operation is a launch, and launches are what the sequence takes its time for.
    """
    return sequence.shape[1] if sequence.is_cuda else 1


def _blocks(*sequences: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(each.split(_block(sequences[0]), dim=1) for each in sequences), strict=True)


def _gates(sequence: Tensor) -> tuple[Tensor, ...]:
    """Views of i, f, g and o: [C, T, 4H, K] -> four of [C, T, H, K]. Cut once: a view costs as much as its use."""
    return sequence.chunk(4, dim=2)


def _into_cell(sequence: Tensor) -> Tensor:
    """The three gates that lead into the cell: [C, T, 4H, K] -> [C, T, 3, H, K], a view."""
    return sequence.unflatten(2, (4, -1))[:, :, :3]


def _with_before(values: Tensor) -> Tensor:
    """What held one step earlier, zero before the first: [C, T, H, K] -> the same."""
    return torch.cat([torch.zeros_like(values[:, :1]), values[:, :-1]], dim=1)


def _one_longer(sequence: Tensor) -> Tensor:
    """Zeros with room for one step more: [C, T, ...] -> [C, T + 1, ...]."""
    chains, steps, *rest = sequence.shape
    return sequence.new_zeros(chains, steps + 1, *rest)


class _Factors(NamedTuple):
    """The sequence's local derivatives, step by step."""

    entering: Tensor  # [C, T, 4H, K]: of c_t by what enters i, f, g; of h_t by what enters o
    cell: Tensor  # [C, T, H, K]: of h_t by c_t


def _factors(trace: Trace) -> _Factors:
    entering, cell = torch.empty_like(trace.gates), torch.empty_like(trace.cells)
    sequences = (trace.squashed, trace.memories, _with_before(trace.cells), cell, trace.gates, entering)
    for tanh, memory, earlier, out, gates, into, i, _, g, o, by_i, by_f, by_g, by_o in _blocks(
        *sequences, *_gates(trace.gates), *_gates(entering)
    ):
        torch.addcmul(gates, gates, gates, value=-1, out=into)  # the slope of a sigmoid
        by_i.mul_(g)
        by_f.mul_(earlier)
        torch.addcmul(i, i * g, g, value=-1, out=by_g)
        by_o.mul_(tanh)
        torch.addcmul(o, memory, tanh, value=-1, out=out)
    return _Factors(entering, cell)


class _Adjoint(NamedTuple):
    """What a cotangent of the memories comes to at every step, and in all for the weights."""

    entering: Tensor  # [C, T, 4H, K]
    cells: Tensor  # [C, T, H, K]
    memories: Tensor  # [C, T, H, K]
    weight: Tensor  # [C, 4H, H]


def _pull_back(trace: Trace, factors: _Factors, weight: Tensor, cotangent: Tensor) -> _Adjoint:
    """Backwards through the sequence with a cotangent of the memories, [C, T, H, K]."""
    entering, by_weight = torch.empty_like(trace.gates), torch.zeros_like(weight)
    cells, memories = torch.empty_like(trace.cells), torch.empty_like(trace.cells)
    transposed = weight.transpose(1, 2)
    into, carry = torch.zeros_like(entering[:, 0]), torch.zeros_like(cells[:, 0])
    sequences = (cotangent, factors.cell, _with_before(trace.memories).transpose(2, 3), cells, memories)
    parts = (
        *(_gates(trace.gates)[1], entering, _into_cell(entering), _gates(entering)[3]),
        *(_into_cell(factors.entering), _gates(factors.entering)[3]),
    )
    for given, through, earlier, cell, memory, forget, flat, to_cell, to_o, of_cell, of_o in _steps_backwards(
        *sequences, *parts
    ):
        torch.baddbmm(given, transposed, into, out=memory)
        torch.addcmul(carry, memory, through, out=cell)
        torch.mul(of_cell, cell.unsqueeze(1), out=to_cell)
        torch.mul(of_o, memory, out=to_o)
        by_weight.baddbmm_(flat, earlier)
        carry, into = torch.mul(cell, forget, out=carry), flat
    return _Adjoint(entering, cells, memories, by_weight)


class _Tangent(NamedTuple):
    """How the sequence moves along a direction, and how its adjoint's local parts move with it."""

    memories: Tensor  # [C, T, H, K]
    entering: Tensor  # [C, T, 4H, K]: adjoint times the move of `_Factors.entering`
    cells: Tensor  # [C, T, H, K]: the same of what reaches c_t by `_Factors.cell` and by the next step's forget gate


def _push_forward(
    trace: Trace, adjoint: _Adjoint, weight: Tensor, inputs_move: Tensor, weight_move: Tensor
) -> _Tangent:
    """Forwards along a direction of the inputs, [C, T, 4H, K], and of the weights, [C, 4H, H].

    In each block of steps first what the next step needs, then what hangs on it: the moves of the local derivatives.
    """
    memories, bends = torch.empty_like(trace.memories), torch.empty_like(trace.gates)
    reached = _one_longer(trace.cells)  # what reaches c_t stands at t + 1: it is found at two steps
    block = _block(trace.gates)
    slopes, moves, turns = (torch.empty_like(trace.gates[:, :block]) for _ in range(3))
    s_tanh, d_tanh, scratch = (torch.empty_like(trace.cells[:, :block]) for _ in range(3))
    cell_moves = _one_longer(s_tanh)
    entering, memory_move = torch.empty_like(trace.gates[:, 0]), torch.zeros_like(trace.cells[:, 0])
    (s_i, s_f, s_g, s_o), (d_i, d_f, d_g, d_o) = _gates(slopes), _gates(moves)
    r_i, r_f, _, r_o = _gates(turns)
    one = s_i.new_ones(())

    i, f, g, o = _gates(trace.gates)
    before = _with_before(trace.cells)
    steps = _steps(trace.squashed, _with_before(trace.memories), inputs_move, memories, i, f, g, o, before)
    within = [*_steps(slopes, moves, *_gates(moves), s_tanh, d_tanh, cell_moves[:, :-1], cell_moves[:, 1:])]
    blocks = _blocks(
        *(trace.squashed, trace.memories, trace.gates, i, g, before),
        *(adjoint.cells, adjoint.cells.unsqueeze(2), adjoint.memories),
        *(*_gates(bends), _into_cell(bends), reached[:, 1:], reached[:, :-1]),
    )
    for tanh, memory, gates, i, g, earlier, to_cell, to_cells, to_memory, *into in blocks:
        b_i, b_f, b_g, b_o, bent, reached_now, reached_before = into
        torch.addcmul(gates, gates, gates, value=-1, out=slopes)
        torch.addcmul(one, g, g, value=-1, out=s_g)
        torch.addcmul(one, tanh, tanh, value=-1, out=s_tanh)
        for scratches, parts in zip(within, steps, strict=False):  # this block's; the rest stays for the next
            slope, move, m_i, m_f, m_g, m_o, slope_tanh, move_tanh, cell_move_before, cell_move = scratches
            squashed, memory_before, given, out, at_i, at_f, at_g, at_o, cell_before = parts
            torch.baddbmm(given, weight, memory_move, out=entering).baddbmm_(weight_move, memory_before)
            torch.mul(slope, entering, out=move)
            torch.mul(at_f, cell_move_before, out=cell_move)
            cell_move.addcmul_(m_i, at_g).addcmul_(m_f, cell_before).addcmul_(m_g, at_i)
            torch.mul(slope_tanh, cell_move, out=move_tanh)
            memory_move = torch.mul(m_o, squashed, out=out).addcmul_(at_o, move_tanh)

        torch.addcmul(moves, gates, moves, value=-2, out=turns)
        torch.mul(d_g, s_i, out=b_i).addcmul_(g, r_i)
        torch.mul(cell_moves[:, :-1], s_f, out=b_f).addcmul_(earlier, r_f)
        torch.mul(d_i, s_g, out=b_g).addcmul_(torch.mul(i, g, out=scratch), d_g, value=-2)
        torch.mul(d_tanh, s_o, out=b_o).addcmul_(tanh, r_o).mul_(to_memory)
        bent.mul_(to_cells)
        torch.mul(d_o, s_tanh, out=reached_now).addcmul_(memory, d_tanh, value=-2).mul_(to_memory)
        reached_before.addcmul_(to_cell, d_f)
        cell_moves[:, 0] = cell_moves[:, -1]
    return _Tangent(memories, bends, reached[:, 1:])


def _pull_back_along(
    trace: Trace, factors: _Factors, adjoint: _Adjoint, tangent: _Tangent, weight: Tensor, weight_move: Tensor
) -> tuple[Tensor, Tensor]:
    """How the adjoint of inputs and weights moves along a tangent while the cotangent stays.

    Returns [C, T, 4H, K], which is `tangent.entering` made whole in its place, and [C, 4H, H].
    """
    transposed, transposed_move = weight.transpose(1, 2), weight_move.transpose(1, 2)
    by_weight, memory = torch.zeros_like(weight), torch.empty_like(trace.cells[:, 0])
    into = into_given = torch.zeros_like(trace.gates[:, 0])
    carry = torch.zeros_like(memory)
    sequences = (
        *(_gates(trace.gates)[1], factors.cell, _into_cell(factors.entering), _gates(factors.entering)[3]),
        *(adjoint.entering, tangent.cells, tangent.entering),
        *(_into_cell(tangent.entering), _gates(tangent.entering)[3]),
        *(_with_before(each).transpose(2, 3) for each in (trace.memories, tangent.memories)),
    )
    for (
        forget,
        through,
        of_cell,
        of_o,
        given,
        cell,
        flat,
        to_cell,
        to_o,
        earlier,
        earlier_move,
    ) in _steps_backwards(*sequences):
        torch.bmm(transposed, into, out=memory).baddbmm_(transposed_move, into_given)
        cell = carry.add_(cell).addcmul_(memory, through)
        to_cell.addcmul_(of_cell, cell.unsqueeze(1))
        to_o.addcmul_(of_o, memory)
        by_weight.baddbmm_(flat, earlier).baddbmm_(given, earlier_move)
        carry, into, into_given = cell.mul_(forget), flat, given
    return tangent.entering, by_weight


class _Sequence(torch.autograd.Function):
    """`lstm_sequence`; its derivative is a function of its own, so that autograd can go through that as well."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, trace: Trace | None) -> Tensor:
        trace = trace or run_lstm(inputs, weight)
        ctx.save_for_backward(inputs, weight, *(each.detach() for each in trace))
        ctx.factors = None
        return trace.memories.detach()  # a tensor of its own: a trace may serve more than once

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, Tensor, None]:
        inputs, weight, *trace = ctx.saved_tensors
        if ctx.factors is None:  # an update's gradient and the chain's both come by here
            ctx.factors = _factors(Trace(*trace))
        return *_Derivative.apply(cotangent, inputs, weight, *trace, *ctx.factors), None


class _Derivative(torch.autograd.Function):
    """[C, T, H, K] of the memories -> [C, T, 4H, K] of the inputs and [C, 4H, H] of the weights.

    The tensors of trace and factors count as constants: what they owe to inputs and weights is part of the second
    derivative.
    """

    @staticmethod
    def forward(
        ctx: Any, cotangent: Tensor, inputs: Tensor, weight: Tensor, *parts: Tensor
    ) -> tuple[Tensor, Tensor]:
        trace, factors = Trace(*parts[:4]), _Factors(*parts[4:])
        adjoint = _pull_back(trace, factors, weight, cotangent)
        ctx.save_for_backward(weight, *trace, *factors, *adjoint)
        return adjoint.entering, adjoint.weight

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, inputs_move: Tensor, weight_move: Tensor) -> tuple[Tensor | None, ...]:
        weight, *rest = ctx.saved_tensors
        trace, factors, adjoint = Trace(*rest[:4]), _Factors(*rest[4:6]), _Adjoint(*rest[6:])
        tangent = _push_forward(trace, adjoint, weight, inputs_move, weight_move)
        by_inputs, by_weight = _pull_back_along(trace, factors, adjoint, tangent, weight, weight_move)
        return tangent.memories, by_inputs, by_weight, *[None] * 6
