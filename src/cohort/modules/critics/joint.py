"""The single critic that a team with one reward shares."""

import itertools

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.modules.stacked import ACTIVATIONS, Activation
from cohort.settings import Settings


class JointCriticSettings(Settings):
    critic_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the critic's hidden layers, as [64, 64]"
    )
    critic_activation: Activation = Field(
        description="activation behind each hidden layer of the critic; with relu its second derivatives are zero"
    )


class JointCritic(nn.Module):
    """Q(o, a) of all observations and all continuous actions (single-critic MADDPG, AdaMa, section 3.1, Figure 1)."""

    Settings = JointCriticSettings

    policy_kind = "continuous actions"
    critic_values = "joint actions"

    def __init__(self, settings: JointCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        sizes = (spec.n_agents * (spec.obs_dim + spec.action_dim), *settings.critic_hidden_dims, 1)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.activation = ACTIVATIONS[settings.critic_activation]

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        """[B, N, O], [B, N, U] -> [B]."""
        hidden = torch.cat([obs.flatten(1), actions.flatten(1)], dim=1)
        for layer in self.layers[:-1]:
            hidden = self.activation(layer(hidden))
        return self.layers[-1](hidden).squeeze(1)
