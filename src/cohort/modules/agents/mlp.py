"""A utility network without a memory."""

from itertools import chain, pairwise

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.settings import Settings


class MLPAgentSettings(Settings):
    agent_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the hidden layers of each agent's network, as [64, 64]"
    )


class MLPAgent(nn.Module):
    """Linear and ReLU by turns, then Linear: one utility per action, of what the agent observes at this moment.

    With [64, 64] it is EPyMARL's network without recurrence (arXiv:2006.07869). All agents share the weights.
    """

    Settings = MLPAgentSettings

    weights = "shared"

    def __init__(self, settings: MLPAgentSettings, *, input_dim: int, output_dim: int) -> None:
        super().__init__()
        sizes = (input_dim, *settings.agent_hidden_dims, output_dim)
        layers = [nn.Linear(*each) for each in pairwise(sizes)]
        behind = [nn.ReLU() for _ in settings.agent_hidden_dims]
        self.layers = nn.Sequential(*chain(*zip(layers, behind, strict=False)), layers[-1])

    def step(self, inputs: Tensor, hidden: None) -> tuple[Tensor, None]:
        """One step: [B, N, I] -> [B, N, A]. There is no memory."""
        return self.layers(inputs), None

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Whole sequences: [B, T, N, I], [B] of at most T -> [B, T, N, A], zeros behind the end."""
        real = torch.arange(inputs.shape[1], device=lengths.device) < lengths[:, None]  # [B, T]
        rows = self.layers(inputs[real])  # [R, N, A]: what is padding is not computed
        return rows.new_zeros(*real.shape, *rows.shape[1:]).masked_scatter(real[..., None, None], rows)
