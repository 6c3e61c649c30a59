"""MNMPG's mixer: monotonic weights from the state and a decoded global hierarchy."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.envs.base import EnvSpec
from cohort.modules.mixers.qmix import MonotonicNetwork, QMIXMixerSettings
from cohort.modules.mixers.simple import refuse_several_outputs


class DecodedMixerSettings(QMIXMixerSettings):
    hierarchy_dim: int = Field(ge=1, description="K, dimensions of the global hierarchy z")
    concat_ori_s: bool = Field(description="mix by the state and the decoded hierarchy (False: MNMPG w/o s)")
    decoder_bn: bool = Field(
        description="normalise the decoder's output over the batch, as the authors' code does"
    )


class DecodedMixer(nn.Module):
    """MNMPG's decoder and mixing network zeta (MNMPG, sections 3.1 and 3.3; sizes from the authors' code).

    d = LeakyReLU(BN(Linear(z))) has the state's size; the weights are QMIX's, read off (s, d). `hypernet_layers: 1`
    is the paper's literal wording (|decoded vector| multiplied into the utilities), 2 what its code does.
    Batch statistics are taken over all rows: who calls it leaves out padding.
    """

    Settings = DecodedMixerSettings

    def __init__(self, settings: DecodedMixerSettings, *, spec: EnvSpec, outputs: int = 1) -> None:
        super().__init__()
        refuse_several_outputs("mnmpg", outputs)
        self.concat_state = settings.concat_ori_s
        self.decoder = nn.Linear(settings.hierarchy_dim, spec.state_dim)
        self.normalise = nn.BatchNorm1d(spec.state_dim) if settings.decoder_bn else None
        context_dim = spec.state_dim * (2 if self.concat_state else 1)
        self.mixing = MonotonicNetwork(settings, n_agents=spec.n_agents, context_dim=context_dim)

    def forward(self, utilities: Tensor, state: Tensor, z: Tensor) -> Tensor:
        """Real steps alone: [R, N], [R, S], [R, K] -> [R, 1]."""
        decoded = self.decode(z)
        context = torch.cat([state, decoded], dim=-1) if self.concat_state else decoded
        return self.mixing(utilities, context)

    def decode(self, z: Tensor) -> Tensor:
        """[R, K] -> [R, S]."""
        decoded = self.decoder(z)
        return F.leaky_relu(decoded if self.normalise is None else self.normalise(decoded), 0.01)
