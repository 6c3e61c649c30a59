"""A critic of states that attends: what each agent's return will be, from what it sees and what others see."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.modules.critics.attention import AttentionCritic, AttentionCriticSettings, normalised
from cohort.modules.stacked import StackedMLP


class AttentionValueCritic(nn.Module):
    """V_i of each agent: MAAC's attention critic without actions (MAMT, ICLR 2022, Table 6: MAPPO with 4 heads).

    e_j = f(FC_j o_j) is what others attend to, s_i = f(FC_i o_i) what asks, V_i = FC f(FC [s_i; x_i]); the letters are
    `AttentionCritic`'s. Observations are normalised over the batch's real moments.
    """

    Settings = AttentionCriticSettings

    policy_kind = ("action probabilities", "action densities")
    critic_values = "states"

    def __init__(self, settings: AttentionCriticSettings, *, spec: EnvSpec) -> None:
        """Raises `ValueError` where there is nobody to attend to."""
        super().__init__()
        self.network = AttentionCritic(settings, spec=replace(spec, n_actions=0))
        hidden = settings.critic_hidden_dim
        self.network.head = StackedMLP(spec.n_agents, (2 * hidden, hidden, 1), "leaky_relu")  # one value

    def forward(self, episodes: Episodes) -> Tensor:
        """At every moment: [B, T+1, N], zeros in padding."""
        obs = episodes.obs
        real = torch.arange(obs.shape[1], device=obs.device) <= episodes.length[:, None]  # [B, T+1]
        values = self.values(obs[real])  # [P, N]
        return values.new_zeros(obs.shape[:-1]).masked_scatter(real.unsqueeze(-1), values)

    def values(self, obs: Tensor) -> Tensor:
        """At single moments: [P, N, O] -> [P, N]."""
        net, obs = self.network, normalised(obs, obs).transpose(0, 1)
        encodings, own = net.encode(obs, obs[..., :0]), net.encode_own(obs)
        weights = net.weights(net.logits(net.queries(own), net.keys(encodings)))
        attended = net.attend(weights, net.attended_values(encodings))
        return net.own_values(own, attended).squeeze(-1).transpose(0, 1)
