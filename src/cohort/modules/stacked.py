"""N networks of one shape in one batched product per layer."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["relu", "leaky_relu", "tanh", "softplus"]
# in place where what stands there before is not needed again
ACTIVATIONS = {"relu": torch.relu_, "leaky_relu": F.leaky_relu_, "tanh": torch.tanh, "softplus": F.softplus}


class StackedLinear(nn.Module):
    """N linear layers side by side, each with weights of its own, begun as `nn.Linear` begins."""

    def __init__(self, networks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(networks, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, B, I] -> [N, B, outputs]."""
        return torch.baddbmm(self.bias, inputs, self.weight)


class StackedMLP(nn.Module):
    """N multilayer perceptrons of one shape: the same activation behind every layer but the last."""

    def __init__(self, networks: int, sizes: Sequence[int], activation: Activation) -> None:
        """`sizes`: inputs, hidden layers, outputs."""
        super().__init__()
        self.layers = nn.ModuleList(StackedLinear(networks, *pair) for pair in itertools.pairwise(sizes))
        self.activation = ACTIVATIONS[activation]

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, B, I] -> [N, B, outputs]."""
        for layer in self.layers[:-1]:
            inputs = self.activation(layer(inputs))
        return self.layers[-1](inputs)
