"""Mixers without weights."""

from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.settings import NoSettings


class IndependentMixer(nn.Module):
    """Every agent learns on its own (independent Q-learning, Tan 1993): N values, not one."""

    Settings = NoSettings

    def __init__(self, settings: NoSettings, *, spec: EnvSpec, outputs: int = 1) -> None:
        super().__init__()
        refuse_several_outputs("independent", outputs)

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[B, T, N], [B, T, S] -> [B, T, N]."""
        return utilities


class VDNMixer(nn.Module):
    """Q_tot = sum_i Q_i (value decomposition networks, arXiv:1706.05296, eq. 3)."""

    Settings = NoSettings

    def __init__(self, settings: NoSettings, *, spec: EnvSpec, outputs: int = 1) -> None:
        super().__init__()
        refuse_several_outputs("vdn", outputs)

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[B, T, N], [B, T, S] -> [B, T, 1]."""
        return utilities.sum(dim=-1, keepdim=True)


def refuse_several_outputs(mixer: str, outputs: int) -> None:
    """Raises `ValueError` where a learner wants more joint values of a mixer than it has."""
    if outputs != 1:
        raise ValueError(f"mixer={mixer} has no {outputs} outputs, as this learner wants: choose mixer=qmix")
