"""A critic of states: what each agent's return will be, whatever it does next."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.modules.agents.mlp import MLPAgent, MLPAgentSettings
from cohort.modules.agents.rnn import RNNAgent, RNNAgentSettings
from cohort.settings import Settings


class StateValueCriticSettings(Settings):
    critic_inputs: Literal["state", "obs"] = Field(
        description="what a value is read off: the state beside the agent's observation (MAPPO), or that alone (IPPO)"
    )
    critic_network: Literal["rnn", "mlp"] = Field(description="with or without a memory")
    critic_hidden_dim: int = Field(ge=1, description="units of the critic's hidden layers")


class StateValueCritic(nn.Module):
    """V_i of each agent, from the state, its observation and which agent it is; the weights are shared.

    MAPPO's critic with agent-specific states, and IPPO's without the state (arXiv:2103.01955, section 3; the network is
    the agents').
    """

    Settings = StateValueCriticSettings

    policy_kind = ("action probabilities", "action densities")
    critic_values = "states"

    def __init__(self, settings: StateValueCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self.central = settings.critic_inputs == "state"
        sizes = {
            "input_dim": spec.obs_dim + spec.n_agents + spec.state_dim * self.central,
            "output_dim": 1,
            "n_agents": spec.n_agents,
        }
        hidden = settings.critic_hidden_dim
        if settings.critic_network == "rnn":
            self.network = RNNAgent(RNNAgentSettings(rnn_hidden_dim=hidden), **sizes)
        else:
            self.network = MLPAgent(MLPAgentSettings(agent_hidden_dims=(hidden, hidden)), **sizes)
        self.register_buffer("agent_ids", torch.eye(spec.n_agents), persistent=False)

    def forward(self, episodes: Episodes) -> Tensor:
        """At every moment: [B, T+1, N]."""
        obs = episodes.obs
        parts = [obs, self.agent_ids.expand(*obs.shape[:-1], -1)]
        if self.central:
            parts.append(episodes.state.unsqueeze(2).expand(*obs.shape[:-1], -1))
        return self.network(torch.cat(parts, dim=-1), episodes.length + 1).squeeze(-1)
