"""Recurrent policies, and the recurrent network that values are read off as well (Meta-MAPG, appendix C.1)."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from cohort.modules.lstm import Trace, lstm_sequence, lstm_step
from cohort.modules.policies import Params, pick, thresholds
from cohort.modules.policies.distributions import Categorical, Gaussian

LEAST_LOG_STD = math.log(1e-6)


class LSTMNetwork:
    """What is seen -> linear, ReLU -> LSTM -> linear. Its memory is zero at the start of every match.

    What is seen are states, int64, which go in one-hot, or vectors.

    Parameters, each with the dimension C in front: `w_in` [H, I], `b_in` [H], `w_ih`, `w_hh` [4H, H], `b_ih`, `b_hh`
    [4H], `w_out` [Y, H], `b_out` [Y]; gates in torch's order.
    """

    memoryless = False

    def __init__(self, n_inputs: int, n_outputs: int, hidden: int) -> None:
        """I = `n_inputs` is S, the number of states, or O, the size of the vectors."""
        self.n_inputs, self.n_outputs, self.hidden = n_inputs, n_outputs, hidden

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        size = self.hidden
        return {
            "w_in": (size, self.n_inputs),
            "b_in": (size,),
            "w_ih": (4 * size, size),
            "w_hh": (4 * size, size),
            "b_ih": (4 * size,),
            "b_hh": (4 * size,),
            "w_out": (self.n_outputs, size),
            "b_out": (self.n_outputs,),
        }

    def initial(self, generator: torch.Generator) -> Params:
        """Xavier-normal matrices, zeros elsewhere, without the dimension C."""
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

    def entering(self, params: Params, seen: Tensor) -> Tensor:
        """What each step puts into the gates: [C, K, T] int64 or [C, K, T, O] -> [C, T, 4H, K]."""
        if seen.is_floating_point():
            features = F.relu(
                params["w_in"].unsqueeze(1) @ seen.permute(0, 2, 3, 1) + params["b_in"][:, None, :, None]
            )
            return (
                params["w_ih"].unsqueeze(1) @ features + (params["b_ih"] + params["b_hh"])[:, None, :, None]
            )
        codes = F.one_hot(seen.permute(0, 2, 1), self.n_inputs).transpose(2, 3)  # [C, T, S, K]
        return self.gate_table(params).unsqueeze(1) @ codes.to(params["w_in"].dtype)

    def outputs(self, params: Params, seen: Tensor, trace: Trace | None = None) -> Tensor:
        """The whole sequence: [C, K, T] int64 or [C, K, T, O] -> [C, T, Y, K]."""
        memories = lstm_sequence(self.entering(params, seen), params["w_hh"], trace)  # [C, T, H, K]
        return params["w_out"].unsqueeze(1) @ memories + params["b_out"][:, None, :, None]


class LSTMPolicy(LSTMNetwork):
    """A softmax over the network's outputs, for discrete states and actions."""

    def distribution(self, params: Params, states: Tensor, trace: Trace | None = None) -> Categorical:
        return Categorical(F.log_softmax(self.outputs(params, states, trace), dim=2).permute(0, 3, 1, 2))

    @torch.no_grad()
    def player(self, params: Params, matches: int, steps: int) -> "LSTMPlayer":
        return LSTMPlayer(params, self.gate_table(params), matches, steps)


class GaussianLSTMPolicy(LSTMNetwork):
    """A normal distribution around the network's outputs, for vectors and continuous actions.

    One parameter more: `log_std` [U], the logarithm of the deviations, the same everywhere and never below 1e-6.
    """

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes | {"log_std": (self.n_outputs,)}

    def distribution(self, params: Params, observations: Tensor, trace: Trace | None = None) -> Gaussian:
        mean = self.outputs(params, observations, trace).permute(0, 3, 1, 2)  # [C, K, T, U]
        return Gaussian(mean, params["log_std"].clamp(min=LEAST_LOG_STD)[:, None, None])

    @torch.no_grad()
    def player(self, params: Params, matches: int, steps: int) -> "GaussianLSTMPlayer":
        return GaussianLSTMPlayer(params, matches, steps)


class _Walk:
    """The network step by step, which writes down what the sequence's derivatives need."""

    def __init__(self, params: Params, gates_of: Tensor, matches: int, steps: int) -> None:
        """`gates_of` [C, 4H, I] makes of what is entered what goes into the gates."""
        self.w_out, self.b_out = params["w_out"], params["b_out"].unsqueeze(-1)
        chains, width, n_inputs = gates_of.shape
        size = width // 4
        # the memory and what is entered stand one above the other, so that a step is one product
        self.weights = torch.cat([params["w_hh"], gates_of], dim=2)  # [C, 4H, H + I]
        self._both = self.weights.new_zeros(chains, size + n_inputs, matches)
        self.memory, self.entered = self._both[:, :size], self._both[:, size:]
        empty = (self.weights.new_empty(chains, steps, rows, matches) for rows in (width, size, size, size))
        self.trace = Trace(*empty)
        self.cell = torch.zeros_like(self.memory)
        self._steps: Iterator[tuple[Tensor, ...]] = zip(*(each.unbind(1) for each in self.trace), strict=True)

    def step(self) -> Tensor:
        """From what was written to `entered`, [C, I, K], to the outputs, [C, Y, K]."""
        gates, cell, squashed, memory = next(self._steps)
        torch.bmm(self.weights, self._both, out=gates)
        lstm_step(gates, self.cell, cell, squashed, memory)
        self.cell = cell
        self.memory.copy_(memory)
        return torch.baddbmm(self.b_out, self.w_out, memory)


class LSTMPlayer(_Walk):
    """Plays by a softmax; the one-hot state is entered."""

    @torch.no_grad()
    def __call__(self, states: Tensor, draws: Tensor) -> Tensor:
        self.entered.zero_().scatter_(1, states.unsqueeze(1), 1.0)
        return pick(thresholds(self.step().softmax(dim=1).transpose(1, 2)), draws)


class GaussianLSTMPlayer(_Walk):
    """Plays by a normal distribution; the first layer's features and a 1 for the gates' biases are entered."""

    def __init__(self, params: Params, matches: int, steps: int) -> None:
        biases = (params["b_ih"] + params["b_hh"]).unsqueeze(-1)
        super().__init__(params, torch.cat([params["w_ih"], biases], dim=2), matches, steps)
        self.entered[:, -1] = 1.0
        self.features = self.entered[:, :-1]
        self.w_in, self.b_in = params["w_in"], params["b_in"].unsqueeze(-1)
        self.std = params["log_std"].clamp(min=LEAST_LOG_STD).exp().unsqueeze(1)  # [C, 1, U]

    @torch.no_grad()
    def __call__(self, observations: Tensor, draws: Tensor) -> Tensor:
        first = torch.baddbmm(self.b_in, self.w_in, observations.transpose(1, 2))
        torch.clamp(first, min=0, out=self.features)
        return self.step().transpose(1, 2) + self.std * draws
