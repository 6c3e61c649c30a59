"""Joint values that are mixed from values of single agents: a critic of agents and the mixer behind it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FactoredValue(nn.Module):
    """Q(s, a) = f(s; Q_1(o_1, a_1), ..., Q_N(o_N, a_N)), of J joint values that share the agents' utilities."""

    def __init__(self, critic: nn.Module, mixer: nn.Module) -> None:
        super().__init__()
        self.critic, self.mixer = critic, mixer

    def utilities(self, *inputs: Tensor) -> Tensor:
        """As the critic has them: of `obs`, [R, N, A], or of `obs` and `actions`, [R, N]."""
        return self.critic(*inputs)

    def joint(self, utilities: Tensor, state: Tensor) -> Tensor:
        """f(s; .): [R, N], [R, S] -> [R, J]."""
        return self.mixer(utilities, state)


class SeparateValues(nn.Module):
    """K factored values of one joint value each, with utilities of their own: these have a first dimension K."""

    def __init__(self, values: Sequence[FactoredValue]) -> None:
        super().__init__()
        self.values = nn.ModuleList(values)

    def utilities(self, *inputs: Tensor) -> Tensor:
        """[K, R, N, A] or [K, R, N]."""
        return torch.stack([each.utilities(*inputs) for each in self.values])

    def joint(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[K, R, N], [R, S] -> [R, K]."""
        pairs = zip(self.values, utilities.unbind(), strict=True)
        return torch.cat([value.joint(own, state) for value, own in pairs], dim=-1)
