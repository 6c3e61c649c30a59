"""Critics of single agents, whose values a mixer joins: Q_i(o_i, .), Q_i(s, o_i, .) and Q_i(o_i, a_i)."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.modules.agents.mlp import MLPAgent, MLPAgentSettings
from cohort.settings import Settings


class IndividualCriticSettings(Settings):
    critic_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the critic's hidden layers, as [64, 64]"
    )
    critic_agent_id: bool = Field(
        description="each agent's critic sees which agent it is; the weights are shared"
    )


class IndividualCritic(nn.Module):
    """Q_i(o_i, .) of all of an agent's discrete actions at once, without a memory (FOP, ADER); shared weights."""

    Settings = IndividualCriticSettings

    policy_kind = "action probabilities"
    critic_values = "utilities"

    def __init__(self, settings: IndividualCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self.network = _ValueNetwork(settings, spec, input_dim=spec.obs_dim, output_dim=spec.n_actions)

    def forward(self, obs: Tensor) -> Tensor:
        """[..., N, O] -> [..., N, A]."""
        return self.network(obs)


class IndividualStateCritic(nn.Module):
    """Q_i(s, o_i, .) = advantages + one value of all actions, which a last layer has side by side (DOP)."""

    Settings = IndividualCriticSettings

    policy_kind = "action probabilities"
    critic_values = "utilities in states"

    def __init__(self, settings: IndividualCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self.network = _ValueNetwork(
            settings, spec, input_dim=spec.state_dim + spec.obs_dim, output_dim=spec.n_actions + 1
        )

    def forward(self, obs: Tensor, state: Tensor) -> Tensor:
        """[..., N, O], [..., S] -> [..., N, A]."""
        states = state.unsqueeze(-2).expand(*obs.shape[:-1], -1)
        outputs = self.network(torch.cat([states, obs], dim=-1))
        return outputs[..., :-1] + outputs[..., -1:]


class IndividualActionCritic(nn.Module):
    """Q_i(o_i, a_i) of one action, without a memory; shared weights (FACMAC).

    A continuous action, or one of discrete ones as a row of chances.
    """

    Settings = IndividualCriticSettings

    critic_values = "action utilities"

    def __init__(self, settings: IndividualCriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        actions = spec.action_dim or spec.n_actions
        self.network = _ValueNetwork(settings, spec, input_dim=spec.obs_dim + actions, output_dim=1)

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        """[..., N, O], [..., N, U] or one row of chances for each agent, [..., N, A] -> [..., N]."""
        return self.network(torch.cat([obs, actions], dim=-1)).squeeze(-1)


class _ValueNetwork(nn.Module):
    """The shared network: inputs, perhaps beside the agent's number, to values."""

    def __init__(
        self, settings: IndividualCriticSettings, spec: EnvSpec, *, input_dim: int, output_dim: int
    ) -> None:
        super().__init__()
        self.sees_id = settings.critic_agent_id
        self.network = MLPAgent(
            MLPAgentSettings(agent_hidden_dims=settings.critic_hidden_dims),
            input_dim=input_dim + spec.n_agents * self.sees_id,
            output_dim=output_dim,
            n_agents=spec.n_agents,
        )
        self.register_buffer("agent_ids", torch.eye(spec.n_agents), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., N, I] -> [..., N, V]."""
        if self.sees_id:
            inputs = torch.cat([inputs, self.agent_ids.expand(*inputs.shape[:-1], -1)], dim=-1)
        return self.network.rows(inputs)
