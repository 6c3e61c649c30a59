"""The recurrent utility network of PyMARL's value-based methods."""

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from src.modules.gru import SequenceGRU
from src.settings import Settings


class RNNAgentSettings(Settings):
    rnn_hidden_dim: int = Field(ge=1, description="units of each agent's hidden layer and recurrent memory")


class RNNAgent(nn.Module):
    """Linear, ReLU, GRU, Linear: one utility per action (QMIX, arXiv:1803.11485, appendix C).

    All agents share the weights; whole sequences pass through one call.
    """

    Settings = RNNAgentSettings

    def __init__(self, settings: RNNAgentSettings, *, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.hidden_dim = settings.rnn_hidden_dim
        self.encoder = nn.Linear(input_dim, self.hidden_dim)
        self.rnn = SequenceGRU(self.hidden_dim, self.hidden_dim)
        self.head = nn.Linear(self.hidden_dim, output_dim)

    def forward(self, inputs: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[B, T, N, I] and the memory before the first step, [1, B N, H] (None: zeros) -> [B, T, N, A] and after."""
        batch, steps, agents, _ = inputs.shape
        encoded = F.relu(self.encoder(inputs))
        sequence = encoded.transpose(0, 1).reshape(steps, batch * agents, self.hidden_dim)
        memories, hidden = self.rnn(sequence, hidden)
        outputs = self.head(memories).view(steps, batch, agents, -1)
        return outputs.transpose(0, 1), hidden
