"""Mixers without weights."""

from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.settings import NoSettings


class IndependentMixer(nn.Module):
    """Every agent learns on its own (independent Q-learning, Tan 1993): N values, not one."""

    Settings = NoSettings

    def __init__(self, settings: NoSettings, *, spec: EnvSpec) -> None:
        super().__init__()

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[B, T, N], [B, T, S] -> [B, T, N]."""
        return utilities


class VDNMixer(nn.Module):
    """Q_tot = sum_i Q_i (value decomposition networks, arXiv:1706.05296, eq. 3)."""

    Settings = NoSettings

    def __init__(self, settings: NoSettings, *, spec: EnvSpec) -> None:
        super().__init__()

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[B, T, N], [B, T, S] -> [B, T, 1]."""
        return utilities.sum(dim=-1, keepdim=True)
