"""COMA's critic: what each of an agent's actions is worth while the others' are given."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.envs.base import EnvSpec
from cohort.modules.agents.mlp import MLPAgent, MLPAgentSettings
from cohort.settings import Settings


class CounterfactualCriticSettings(Settings):
    critic_hidden_dim: int = Field(ge=1, description="units of the critic's two hidden layers")


class CounterfactualCritic(nn.Module):
    """Q_i(s, o_i, u_-i, .) for all of agent i's actions at once (COMA, arXiv:1705.08926, section 4); shared weights."""

    Settings = CounterfactualCriticSettings

    policy_kind = "action probabilities"
    critic_values = "actions"

    def __init__(self, settings: CounterfactualCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self.n_actions, hidden = spec.n_actions, settings.critic_hidden_dim
        joint = spec.n_agents * spec.n_actions
        self.network = MLPAgent(
            MLPAgentSettings(agent_hidden_dims=(hidden, hidden)),
            input_dim=spec.state_dim + spec.obs_dim + joint + spec.n_agents,
            output_dim=spec.n_actions,
            n_agents=spec.n_agents,
        )
        self.register_buffer("agent_ids", torch.eye(spec.n_agents), persistent=False)

    def forward(self, state: Tensor, obs: Tensor, actions: Tensor) -> Tensor:
        """[..., S], [..., N, O], [..., N] int64 -> [..., N, A]. An agent's own action does not enter."""
        agents = obs.shape[-2]
        joint = F.one_hot(actions, self.n_actions).to(obs.dtype).unsqueeze(-3)  # [..., 1, N, A]
        others = joint * (1 - self.agent_ids).unsqueeze(-1)  # [..., N, N, A], its own row zero
        parts = [
            state.unsqueeze(-2).expand(*obs.shape[:-1], -1),
            obs,
            others.flatten(-2),
            self.agent_ids.expand(*obs.shape[:-2], agents, agents),
        ]
        return self.network.rows(torch.cat(parts, dim=-1))
