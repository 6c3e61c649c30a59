"""A recurrent policy, and the recurrent network that values are read off as well (Meta-MAPG, appendix C.1)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from src.modules.lstm import Trace, lstm_sequence, lstm_step
from src.modules.policies import Params, pick


class LSTMNetwork:
    """One-hot state -> linear, ReLU -> LSTM -> linear. Its memory is zero at the start of every match.

    Parameters, each with the dimension C in front: `w_in` [H, S], `b_in` [H], `w_ih`, `w_hh` [4H, H], `b_ih`, `b_hh`
    [4H], `w_out` [Y, H], `b_out` [Y]; gates in torch's order.
    """

    def __init__(self, n_states: int, n_outputs: int, hidden: int) -> None:
        self.n_states, self.n_outputs, self.hidden = n_states, n_outputs, hidden

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        size = self.hidden
        return {
            "w_in": (size, self.n_states),
            "b_in": (size,),
            "w_ih": (4 * size, size),
            "w_hh": (4 * size, size),
            "b_ih": (4 * size,),
            "b_hh": (4 * size,),
            "w_out": (self.n_outputs, size),
            "b_out": (self.n_outputs,),
        }

    def initial(self, generator: torch.Generator) -> Params:
        """Xavier-normal matrices, zero biases, without the dimension C."""
        return {
            name: torch.randn(shape, generator=generator) * math.sqrt(2 / sum(shape))
            if len(shape) == 2
            else torch.zeros(shape)
            for name, shape in self.shapes.items()
        }

    def gate_table(self, params: Params) -> Tensor:
        """What each state puts into the gates: [C, 4H, S]. There are few states, so this is done once for all steps."""
        features = F.relu(params["w_in"] + params["b_in"].unsqueeze(-1))  # one-hot input picks a column
        biases = (params["b_ih"] + params["b_hh"]).unsqueeze(-1)
        return torch.baddbmm(biases, params["w_ih"], features)

    def outputs(self, params: Params, states: Tensor, trace: Trace | None = None) -> Tensor:
        """The whole sequence: [C, K, T] int64 -> [C, T, Y, K]."""
        codes = F.one_hot(states.permute(0, 2, 1), self.n_states).transpose(2, 3)  # [C, T, S, K]
        inputs = self.gate_table(params).unsqueeze(1) @ codes.to(params["w_in"].dtype)
        memories = lstm_sequence(inputs, params["w_hh"], trace)  # [C, T, H, K]
        return params["w_out"].unsqueeze(1) @ memories + params["b_out"][:, None, :, None]


class LSTMPolicy(LSTMNetwork):
    """A softmax over the network's outputs."""

    def log_probs(self, params: Params, states: Tensor, trace: Trace | None = None) -> Tensor:
        return F.log_softmax(self.outputs(params, states, trace), dim=2).permute(0, 3, 1, 2)

    @torch.no_grad()
    def player(self, params: Params, matches: int, steps: int) -> "LSTMPlayer":
        return LSTMPlayer(params, self.gate_table(params), matches, steps)


class LSTMPlayer:
    """Plays step by step and writes down what the sequence's derivatives need."""

    def __init__(self, params: Params, gate_table: Tensor, matches: int, steps: int) -> None:
        """`gate_table` is [C, 4H, S]."""
        self.w_out, self.b_out = params["w_out"], params["b_out"].unsqueeze(-1)
        chains, width, n_states = gate_table.shape
        size = width // 4
        # the memory and the one-hot state stand one above the other, so that a step is one product
        self.weights = torch.cat([params["w_hh"], gate_table], dim=2)  # [C, 4H, H + S]
        self.entering = self.weights.new_zeros(chains, size + n_states, matches)
        self.memory, self.code = self.entering[:, :size], self.entering[:, size:]
        empty = (self.weights.new_empty(chains, steps, rows, matches) for rows in (width, size, size, size))
        self.trace = Trace(*empty)
        self.cell = torch.zeros_like(self.memory)
        self._steps = zip(*(each.unbind(1) for each in self.trace), strict=True)

    @torch.no_grad()
    def __call__(self, states: Tensor, uniform: Tensor) -> Tensor:
        gates, cell, squashed, memory = next(self._steps)
        self.code.zero_().scatter_(1, states.unsqueeze(1), 1.0)
        torch.bmm(self.weights, self.entering, out=gates)
        lstm_step(gates, self.cell, cell, squashed, memory)
        self.cell = cell
        self.memory.copy_(memory)
        outputs = torch.baddbmm(self.b_out, self.w_out, memory)  # [C, A, K]
        return pick(outputs.softmax(dim=1).transpose(1, 2), uniform)
