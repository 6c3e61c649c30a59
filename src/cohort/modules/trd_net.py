"""TRD-Net: how far the team's joint policy moves, of observations, actions, trust regions and coordination."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.envs.base import EnvSpec
from cohort.modules.critics.attention import normalised
from cohort.modules.stacked import StackedLinear
from cohort.settings import Settings

WIDE = 100.0  # the size of a trust region that `delta_input=log` makes 1


class TRDNetSettings(Settings):
    trd_hidden_dim: int = Field(ge=1, description="D, units of TRD-Net's layers")
    combine: Literal["concat", "product"] = Field(
        description="an agent's two branches become one divergence. concat: by an encoder of both; product: each "
        "gives a factor, as in the authors' code"
    )
    delta_input: Literal["log", "raw"] = Field(
        description="TRD-Net reads ln(delta_i) / ln(100), or delta_i itself"
    )


class Branch(nn.Module):
    """z_i = f(FC [f(FC [o_i; a_i]); f(FC f(FC u_i))]), f the leaky ReLU, weights of its own for each agent."""

    def __init__(self, agents: int, inputs: int, hidden: int) -> None:
        super().__init__()
        self.seen = StackedLinear(agents, inputs, hidden)
        self.size = nn.ModuleList([StackedLinear(agents, 1, hidden), StackedLinear(agents, hidden, hidden)])
        self.both = StackedLinear(agents, 2 * hidden, hidden)

    def forward(self, seen: Tensor, size: Tensor) -> Tensor:
        """What was seen and done [N, R, I], sizes u [N, 1, 1] -> [N, R, D]."""
        for layer in self.size:
            size = F.leaky_relu(layer(size))  # [N, 1, D]
        for_seen, for_size = self.both.weight.chunk(2, dim=1)  # the sizes' part is the same for all samples
        seen = F.leaky_relu(self.seen(seen))
        return F.leaky_relu(torch.baddbmm(self.both.bias + size @ for_size, seen, for_seen))


class TRDNet(nn.Module):
    """KLhat_i, an estimate of how far agent i's policy is from what the others know of it (MAMT, ICLR 2022, figure 1).

    One branch of each agent passes a graph convolution over the agents, whose edges are the coordination coefficients;
    the other does not. An encoder of both gives the divergence. The paper leaves the wiring open: this is ours.
    """

    def __init__(self, settings: TRDNetSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        agents, hidden = spec.n_agents, settings.trd_hidden_dim
        self.combine, self.delta_input = settings.combine, settings.delta_input
        self.joined = Branch(agents, spec.obs_dim + spec.n_actions, hidden)
        self.apart = Branch(agents, spec.obs_dim + spec.n_actions, hidden)
        self.graph = nn.Linear(hidden, hidden)  # shared by all agents
        if self.combine == "concat":
            self.encoder = StackedLinear(agents, 2 * hidden, hidden)
            self.heads = nn.ModuleList([StackedLinear(agents, hidden, 1)])
        else:
            self.heads = nn.ModuleList([StackedLinear(agents, hidden, 1) for _ in range(2)])

    def forward(self, obs: Tensor, actions: Tensor, coefficients: Tensor, sizes: Tensor) -> Tensor:
        """KLhat.

        Args:
            obs: [R, N, O].
            actions: one-hot, [R, N, A].
            coefficients: C, constant: [R, N, N].
            sizes: delta_1 ... delta_N, each above 0: [N].

        Returns: [R, N], above 0.
        """
        seen = torch.cat([obs, actions], dim=-1)
        seen = normalised(seen, seen).transpose(0, 1)  # [N, R, I]
        size = (sizes.log() / math.log(WIDE) if self.delta_input == "log" else sizes).view(-1, 1, 1)
        messages = self.graph(self.joined(seen, size)).transpose(0, 1)  # [R, N, D]
        joined = F.leaky_relu(adjacency(coefficients) @ messages).transpose(0, 1)  # [N, R, D]
        apart = self.apart(seen, size)
        if self.combine == "concat":
            both = F.leaky_relu(self.encoder(torch.cat([joined, apart], dim=-1)))
            found = F.softplus(self.heads[0](both))
        else:
            found = F.softplus(self.heads[0](joined)) * F.softplus(self.heads[1](apart))
        return found.squeeze(-1).T


def adjacency(coefficients: Tensor) -> Tensor:
    """D^-1/2 ((C + C^T) / 2 + I) D^-1/2, D the sums of the rows: [R, N, N] -> [R, N, N]."""
    links = (coefficients + coefficients.transpose(-1, -2)) / 2
    links = links + torch.eye(links.shape[-1], dtype=links.dtype, device=links.device)
    scale = links.sum(dim=-1).rsqrt()
    return scale.unsqueeze(-1) * links * scale.unsqueeze(-2)
