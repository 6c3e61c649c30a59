"""A recurrent policy, and the recurrent network that values are read off as well (Meta-MAPG, appendix C.1)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from src.modules.lstm import lstm_sequence, lstm_step
from src.modules.policies import Params, Player, pick


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

    def outputs(self, params: Params, states: Tensor) -> Tensor:
        """The whole sequence: [C, K, T] int64 -> [C, T, Y, K]."""
        codes = F.one_hot(states.permute(0, 2, 1), self.n_states).transpose(2, 3)  # [C, T, S, K]
        inputs = self.gate_table(params).unsqueeze(1) @ codes.to(params["w_in"].dtype)
        memories = lstm_sequence(inputs, params["w_hh"])  # [C, T, H, K]
        return params["w_out"].unsqueeze(1) @ memories + params["b_out"][:, None, :, None]


class LSTMPolicy(LSTMNetwork):
    """A softmax over the network's outputs."""

    def log_probs(self, params: Params, states: Tensor) -> Tensor:
        return F.log_softmax(self.outputs(params, states), dim=2).permute(0, 3, 1, 2)

    def player(self, params: Params, matches: int) -> Player:
        params = {name: each.detach() for name, each in params.items()}
        w_out, b_out = params["w_out"], params["b_out"].unsqueeze(-1)
        size, chains = self.hidden, len(w_out)
        # the memory and the one-hot state stand one above the other, so that a step is one product
        weights = torch.cat([params["w_hh"], self.gate_table(params)], dim=2)  # [C, 4H, H + S]
        entering = weights.new_zeros(chains, size + self.n_states, matches)
        memory, code = entering[:, :size], entering[:, size:]
        cell, squashed = torch.zeros_like(memory), torch.empty_like(memory)
        gates = weights.new_empty(chains, 4 * size, matches)

        def act(states: Tensor, uniform: Tensor) -> Tensor:
            code.zero_().scatter_(1, states.unsqueeze(1), 1.0)
            torch.bmm(weights, entering, out=gates)
            lstm_step(gates, cell, cell, squashed, memory)
            outputs = torch.baddbmm(b_out, w_out, memory)  # [C, A, K]
            return pick(outputs.softmax(dim=1).transpose(1, 2), uniform)

        return act
