"""QMIX's monotonic mixing network."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.envs.base import EnvSpec
from cohort.settings import Settings


class QMIXMixerSettings(Settings):
    mixing_embed_dim: int = Field(ge=1, description="E, units of the mixing network's hidden layer")
    hypernet_layers: Literal[1, 2] = Field(
        description="layers of the networks that produce the mixing weights"
    )
    hypernet_embed: int = Field(ge=1, description="units of their hidden layer, when they have two")


class MonotonicNetwork(nn.Module):
    """Q_tot = ELU(q^T |W1(c)| + b1(c)) |w2(c)| + v(c), so that dQ_tot/dQ_i >= 0 for every context c.

    The context is the state in QMIX and the state beside the decoded hierarchy in MNMPG. As ELU is convex, increments
    grow with the other agents' utilities, too: not every payoff that rises with each action is held (docs/mnmpg.md).
    """

    def __init__(
        self, settings: QMIXMixerSettings, *, n_agents: int, context_dim: int, outputs: int = 1
    ) -> None:
        """`outputs` values J come out, each with a last layer of its own behind the same hidden layer."""
        super().__init__()
        self.n_agents, self.embed, self.outputs = n_agents, settings.mixing_embed_dim, outputs

        def weights(outputs: int) -> nn.Module:
            if settings.hypernet_layers == 1:
                return nn.Linear(context_dim, outputs)
            hidden = settings.hypernet_embed
            return nn.Sequential(nn.Linear(context_dim, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

        self.hyper_w1 = weights(n_agents * self.embed)
        self.hyper_w2 = weights(self.embed * outputs)
        self.hyper_b1 = nn.Linear(context_dim, self.embed)
        self.value = nn.Sequential(
            nn.Linear(context_dim, self.embed), nn.ReLU(), nn.Linear(self.embed, outputs)
        )

    def forward(self, utilities: Tensor, context: Tensor) -> Tensor:
        """[..., N], [..., C] -> [..., J]; in the lines below the rows are [B, T]."""
        w1 = self.hyper_w1(context).abs().unflatten(-1, (self.n_agents, self.embed))  # [B, T, N, E]
        # a product and a sum: as many [1, N] by [N, E] matrix products they take three times as long
        mixed = (utilities.unsqueeze(-1) * w1).sum(dim=-2)  # [B, T, E]
        hidden = F.elu(mixed + self.hyper_b1(context))
        w2 = self.hyper_w2(context).abs().unflatten(-1, (self.outputs, self.embed))  # [B, T, J, E]
        return (hidden.unsqueeze(-2) * w2).sum(dim=-1) + self.value(context)


class QMIXMixer(MonotonicNetwork):
    """QMIX (arXiv:1803.11485, section 4.1): the context is the state."""

    Settings = QMIXMixerSettings

    def __init__(self, settings: QMIXMixerSettings, *, spec: EnvSpec, outputs: int = 1) -> None:
        super().__init__(settings, n_agents=spec.n_agents, context_dim=spec.state_dim, outputs=outputs)
