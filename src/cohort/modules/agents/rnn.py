"""PyMARL's recurrent network, which all agents share."""

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from cohort.modules.gru import SequenceGRU
from cohort.settings import Settings


class RNNAgentSettings(Settings):
    rnn_hidden_dim: int = Field(ge=1, description="units of each agent's hidden layer and recurrent memory")


class RNNAgent(nn.Module):
    """Linear, ReLU, GRU, Linear (QMIX, arXiv:1803.11485, appendix C).

    All agents share the weights. Whole sequences pass through one call, and what is padding is not computed.
    """

    Settings = RNNAgentSettings

    weights = "shared"
    recurrent = True

    def __init__(self, settings: RNNAgentSettings, *, input_dim: int, output_dim: int, n_agents: int) -> None:
        super().__init__()
        self.hidden_dim = settings.rnn_hidden_dim
        self.encoder = nn.Linear(input_dim, self.hidden_dim)
        self.rnn = SequenceGRU(self.hidden_dim, self.hidden_dim)
        self.head = nn.Linear(self.hidden_dim, output_dim)

    @property
    def last_layers(self) -> list[nn.Module]:
        return [self.head]

    def step(self, inputs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step: [B, N, I] and the memory before it, [B N, H] (None: zeros) -> [B, N, outputs] and after it."""
        memories = self.rnn.step(F.relu(self.encoder(inputs)).flatten(0, 1), hidden)
        return self.head(memories).view(*inputs.shape[:2], -1), memories

    @staticmethod
    def begun_anew(hidden: Tensor, games: Tensor) -> Tensor:
        """A memory of `step` with that of a first step in some `games` [B] bool."""
        return hidden.unflatten(0, (len(games), -1)).masked_fill(games.view(-1, 1, 1), 0).flatten(0, 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Whole sequences from their start: [B, T, N, I], [B] of at most T -> [B, T, N, outputs], zeros behind it."""
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs = packed._replace(data=self.unroll(packed.data, packed.batch_sizes))
        return pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])[0]

    def unroll(self, inputs: Tensor, sizes: Tensor) -> Tensor:
        """Whole sequences, packed: [R, N, I], [T] int64 on the CPU as `PackedSequence` -> [R, N, outputs]."""
        agents = inputs.shape[1]
        rows = F.relu(self.encoder(inputs)).flatten(0, 1)  # [R N, H]
        return self.head(self.rnn(PackedSequence(rows, sizes * agents))).unflatten(0, (-1, agents))
