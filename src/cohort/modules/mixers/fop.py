"""FOP's mixer: the joint value is the agents' values, their advantages weighted by state and joint action."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.modules.mixers.simple import refuse_several_outputs
from cohort.settings import Settings


class FOPMixerSettings(Settings):
    mixing_embed_dim: int = Field(ge=1, description="units of the hidden layer of the state's value")
    mixing_heads: int = Field(ge=1, description="H, heads whose weights of the agents' advantages add up")


class FOPMixer(nn.Module):
    """Q_tot = V(s) + sum_i Q_i(a_i) + sum_i (lambda_i(s, a) - 1) (Q_i(a_i) - V_i) (FOP, ICML 2021).

    lambda_i = sum_h |key_h(s)| sigmoid(agent_h(s))_i sigmoid(action_h(s, a))_i, every part linear. The advantages under
    the weights are constant, so that the agents' critics learn as those of a sum do.
    """

    Settings = FOPMixerSettings

    def __init__(self, settings: FOPMixerSettings, *, spec: EnvSpec, outputs: int = 1) -> None:
        super().__init__()
        refuse_several_outputs("fop", outputs)
        self.n_agents, self.heads = spec.n_agents, settings.mixing_heads
        # all heads side by side
        self.key = nn.Linear(spec.state_dim, self.heads)
        self.agents = nn.Linear(spec.state_dim, self.heads * self.n_agents)
        self.actions = nn.Linear(spec.state_dim + self.n_agents * spec.n_actions, self.heads * self.n_agents)
        self.value = nn.Sequential(
            nn.Linear(spec.state_dim, settings.mixing_embed_dim),
            nn.ReLU(),
            nn.Linear(settings.mixing_embed_dim, 1),
        )

    def forward(self, utilities: Tensor, state: Tensor, actions: Tensor, values: Tensor) -> Tensor:
        """Q_i(a_i) [..., N], [..., S], the actions as rows with a single 1 [..., N, A], V_i [..., N] -> [..., 1]."""
        advantages = (utilities - values).detach()
        weighted = ((self.weights(state, actions) - 1) * advantages).sum(dim=-1, keepdim=True)
        return weighted + utilities.sum(dim=-1, keepdim=True) + self.value(state)

    def weights(self, state: Tensor, actions: Tensor) -> Tensor:
        """lambda: [..., S], [..., N, A] -> [..., N], at least 0."""
        both = torch.cat([state, actions.flatten(-2)], dim=-1)
        importance = self.agents(state).sigmoid() * self.actions(both).sigmoid()
        return (self.key(state).abs().unsqueeze(-1) * importance.unflatten(-1, (self.heads, -1))).sum(dim=-2)
