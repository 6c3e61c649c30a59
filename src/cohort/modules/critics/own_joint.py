"""Critics of which every agent has one of its own that reads all observations."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.modules.critics.attention import normalised
from cohort.modules.critics.joint import JointCriticSettings
from cohort.modules.stacked import ACTIVATIONS, StackedLinear, StackedMLP


class OwnJointCritic(nn.Module):
    """Q_i(o, a) of all observations and discrete actions, with weights of each agent's own (MADDPG, arXiv:1706.02275).

    Observations are normalised over the batch; actions are not: a rare one would be blown up.
    """

    Settings = JointCriticSettings

    policy_kind = "action probabilities"
    critic_values = "joint actions for each agent"

    def __init__(self, settings: JointCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        agents, (first, *others) = spec.n_agents, settings.critic_hidden_dims
        self.read = (agents * spec.obs_dim, agents * spec.n_actions)
        self.first = StackedLinear(agents, sum(self.read), first)
        self.activation = ACTIVATIONS[settings.critic_activation]
        self.rest = StackedMLP(agents, (first, *others, 1), settings.critic_activation)
        self.register_buffer("own", torch.eye(agents, dtype=torch.bool), persistent=False)

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Every agent's value of one joint action, as rows of chances: [B, N, O], [B, N, A] -> [B, N]."""
        return self.values(obs, actions.flatten(1).expand(len(self.own), -1, -1))

    def exchanging_own(self, obs: Tensor, actions: Tensor, own: Tensor) -> Tensor:
        """Agent i's value where it does own_i and the others actions_j: [B, N, O], [B, N, A] twice -> [B, N]."""
        exchanged = torch.where(self.own[:, None, :, None], own, actions)  # [N, B, N, A]
        return self.values(obs, exchanged.flatten(2))

    def values(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Critic i reads the joint action i: [B, N, O], [N, B, N A] -> [B, N]."""
        seen = normalised(obs, obs).flatten(1)  # [B, N O]: the same for all critics, not copied for each
        of_seen, of_actions = self.first.weight.split(self.read, dim=1)
        hidden = torch.baddbmm(self.first.bias, actions, of_actions) + seen @ of_seen
        return self.rest(self.activation(hidden)).squeeze(-1).transpose(0, 1)


class PairCritic(nn.Module):
    """Q_i(o, a_1, a_2) of every pair of two agents' actions at once, with weights of each agent's own.

    What LOLA on DQN learns (MAMT, ICLR 2022, section 4 and Table 7). Observations are normalised over the batch.
    """

    Settings = JointCriticSettings

    policy_kind = "action probabilities"
    critic_values = "pairs of actions"

    N_AGENTS: ClassVar[int] = 2

    def __init__(self, settings: JointCriticSettings, *, spec: EnvSpec) -> None:
        """Raises `ValueError` unless there are two agents."""
        super().__init__()
        if spec.n_agents != self.N_AGENTS:
            raise ValueError(
                f"critic=pair_mlp values the actions of two agents, and here are {spec.n_agents}: choose another "
                "algorithm, or an environment with two agents"
            )
        sizes = (self.N_AGENTS * spec.obs_dim, *settings.critic_hidden_dims, spec.n_actions**2)
        self.networks = StackedMLP(self.N_AGENTS, sizes, settings.critic_activation)
        self.n_actions = spec.n_actions

    def forward(self, obs: Tensor) -> Tensor:
        """[B, 2, O] -> [B, 2, A, A], the first agent's action before the second's."""
        seen = normalised(obs, obs).flatten(1).expand(self.N_AGENTS, -1, -1)
        return self.networks(seen).transpose(0, 1).unflatten(-1, (self.n_actions, self.n_actions))
