"""RODE's representations of actions, learned from what actions do."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.envs.base import EnvSpec


class Effects(NamedTuple):
    """What an agent's action is expected to lead to."""

    next_obs: Tensor  # [..., N, O]
    reward: Tensor  # [..., N]


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class ActionRepresentations(nn.Module):
    """e(a), and a predictor of the next observation and the reward (RODE, arXiv:2010.01523, section 3.1, eq. 1).

    The predictor reads the agent's observation, the actions of the others and e of its own action: actions are near
    each other when they do the same. Sizes are the authors' code's.
    """

    def __init__(self, spec: EnvSpec, *, latent_dim: int, hidden_dim: int, state_latent_dim: int) -> None:
        super().__init__()
        n_agents, n_actions = spec.n_agents, spec.n_actions
        self.encoder = _two_layers(n_actions, hidden_dim, latent_dim)
        context = spec.obs_dim + (n_agents - 1) * n_actions
        self.context = _two_layers(context, hidden_dim, state_latent_dim)
        joint = state_latent_dim + latent_dim
        self.next_obs = _two_layers(joint, state_latent_dim, spec.obs_dim)
        self.reward = _two_layers(joint, state_latent_dim, 1)
        self.register_buffer("one_hot", torch.eye(n_actions), persistent=False)
        others = [[j for j in range(n_agents) if j != i] for i in range(n_agents)]
        self.register_buffer("others", torch.tensor(others).view(n_agents, -1).long(), persistent=False)

    def latents(self) -> Tensor:
        """e of every action: [A, D]."""
        return self.encoder(self.one_hot)

    def forward(self, obs: Tensor, actions: Tensor) -> Effects:
        """[R, N, O], [R, N] int64."""
        done = F.embedding(actions, self.one_hot)  # [R, N, A]
        by_others = done[:, self.others].flatten(2)  # [R, N, (N-1) A]
        context = self.context(torch.cat([obs, by_others], dim=-1))
        joint = torch.cat([context, F.embedding(actions, self.latents())], dim=-1)
        return Effects(self.next_obs(joint), self.reward(joint).squeeze(-1))
