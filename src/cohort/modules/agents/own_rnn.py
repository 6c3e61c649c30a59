"""A recurrent network for each agent, with weights of its own."""

import torch
from torch import Tensor, nn

from cohort.modules.agents.rnn import RNNAgent, RNNAgentSettings


class OwnRNNAgents(nn.Module):
    """N networks as `RNNAgent`, without shared weights, one after the other."""

    Settings = RNNAgentSettings

    weights = "own"
    recurrent = True

    def __init__(self, settings: RNNAgentSettings, *, input_dim: int, output_dim: int, n_agents: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            RNNAgent(settings, input_dim=input_dim, output_dim=output_dim, n_agents=1)
            for _ in range(n_agents)
        )

    @property
    def last_layers(self) -> list[nn.Module]:
        return [network.head for network in self.networks]

    def step(self, inputs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step: [B, N, I] and the memory before it, [N, B, H] (None: zeros) -> [B, N, outputs] and after it."""
        before = [None] * len(self.networks) if hidden is None else hidden
        parts = [network.step(inputs[:, i : i + 1], before[i]) for i, network in enumerate(self.networks)]
        outputs, after = zip(*parts, strict=True)
        return torch.cat(outputs, dim=1), torch.stack(after)

    @staticmethod
    def begun_anew(hidden: Tensor, games: Tensor) -> Tensor:
        """A memory of `step` with that of a first step in some `games` [B] bool."""
        return hidden.masked_fill(games.unsqueeze(1), 0)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Whole sequences from their start: [B, T, N, I], [B] of at most T -> [B, T, N, outputs]."""
        parts = [network(inputs[:, :, i : i + 1], lengths) for i, network in enumerate(self.networks)]
        return torch.cat(parts, dim=2)

    def unroll(self, inputs: Tensor, sizes: Tensor) -> Tensor:
        """Whole sequences, packed: [R, N, I], [T] -> [R, N, outputs]."""
        parts = [network.unroll(inputs[:, i : i + 1], sizes) for i, network in enumerate(self.networks)]
        return torch.cat(parts, dim=1)
