"""The unrestricted central mixer of weighted QMIX."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.settings import Settings


class CentralMixerSettings(Settings):
    central_mixing_embed_dim: int = Field(
        ge=1, description="units of each hidden layer of the unrestricted mixer"
    )


class CentralMixer(nn.Module):
    """Q^*(s, u) = f(s, Q_1, ..., Q_N) + V(s): any function of the utilities, not only one that rises with each.

    Weighted QMIX (arXiv:2006.10800, section 4.2); f's three hidden layers and V's one are the authors' code's.
    """

    def __init__(self, settings: CentralMixerSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        units = settings.central_mixing_embed_dim
        self.joint = nn.Sequential(
            nn.Linear(spec.state_dim + spec.n_agents, units),
            nn.ReLU(),
            nn.Linear(units, units),
            nn.ReLU(),
            nn.Linear(units, units),
            nn.ReLU(),
            nn.Linear(units, 1),
        )
        self.value = nn.Sequential(nn.Linear(spec.state_dim, units), nn.ReLU(), nn.Linear(units, 1))

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[..., N], [..., S] -> [..., 1]."""
        return self.joint(torch.cat([state, utilities], dim=-1)) + self.value(state)
