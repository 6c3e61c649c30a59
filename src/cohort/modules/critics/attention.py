"""MAAC's critic: each agent values its own actions, attending to what the others see and do."""

import math
from typing import NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.functional import softmax
from cohort.envs.base import EnvSpec
from cohort.modules.stacked import StackedLinear, StackedMLP
from cohort.settings import Settings

NORM_EPS = 1e-5  # batch normalisation's
FEW = 3  # agents up to which attending pair by pair is faster than B * H tiny matrix products


class AttentionCriticSettings(Settings):
    critic_hidden_dim: int = Field(ge=1, description="D, units of each hidden layer of the critic")
    attention_heads: int = Field(
        ge=1, description="attention heads, which divide the hidden units among them"
    )

    @model_validator(mode="after")
    def heads_divide_the_hidden_units(self) -> Self:
        if self.critic_hidden_dim % self.attention_heads:
            raise ValueError(
                f"critic_hidden_dim ({self.critic_hidden_dim}) must be a multiple of attention_heads "
                f"({self.attention_heads})"
            )
        return self


class Valuation(NamedTuple):
    """What the critic says of B joint observations and actions."""

    values: Tensor  # [B, N, A]: Q_i for every own action, the others' actions as given
    logits: Tensor  # [B, H, N, N]: <W_q s_i, K e_j> of each head, not yet scaled; the diagonal means nothing
    weights: Tensor  # [B, H, N, N]: how much agent i attends to agent j, zero to itself


class AttentionCritic(nn.Module):
    """Q_1 ... Q_N of MAAC (arXiv:1810.02912, with the layers of its authors' code).

    e_j = f(FC_j [o_j; a_j]) and s_i = f(FC_i o_i) for each agent with weights of its own, f the leaky ReLU and inputs
    normalised over the batch. K, W_q and V are shared by all agents; H heads attend to all agents but one's own:
    x_i = sum_{j != i} softmax_j(<W_q s_i, K e_j> / sqrt(D / H)) f(V e_j), Q_i(o, (., a_-i)) = FC f(FC [s_i; x_i]).
    An agent's own action is no input, so that one pass values all of them.

    Each step of this is a method, so that a method may exchange one agent's action and do again only what that changes.
    """

    Settings = AttentionCriticSettings

    policy_kind = "action probabilities"
    critic_values = "actions at once"

    def __init__(self, settings: AttentionCriticSettings, *, spec: EnvSpec) -> None:
        """Raises `ValueError` where there is nobody to attend to."""
        super().__init__()
        if spec.n_agents < 2:
            raise ValueError(
                "critic=attention attends to the other agents, and here is one agent alone: choose another algorithm"
            )
        agents, hidden = spec.n_agents, settings.critic_hidden_dim
        self.agents, self.heads = agents, settings.attention_heads
        self.encoder = StackedLinear(agents, spec.obs_dim + spec.n_actions, hidden)
        self.state_encoder = StackedLinear(agents, spec.obs_dim, hidden)
        # all heads side by side
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.value = nn.Linear(hidden, hidden)
        self.head = StackedMLP(agents, (2 * hidden, hidden, spec.n_actions), "leaky_relu")
        self.register_buffer("self_mask", torch.eye(agents, dtype=torch.bool), persistent=False)

    def forward(self, obs: Tensor, actions: Tensor, like: Tensor | None = None) -> Valuation:
        """Value every own action of every agent.

        Args:
            obs: [B, N, O].
            actions: [B, N, A], one-hot or, as AdaMa's instantiation on MAAC has it, distributions over actions.
            like: actions [B, N, A] by whose mean and variance `actions` are normalised; their own if None.
        """
        obs = normalised(obs, obs).transpose(0, 1)  # [N, B, O]
        actions = normalised(actions, actions if like is None else like).transpose(0, 1)
        encodings, own = self.encode(obs, actions), self.encode_own(obs)
        logits = self.logits(self.queries(own), self.keys(encodings))
        weights = self.weights(logits)
        attended = self.attend(weights, self.attended_values(encodings))
        return Valuation(self.own_values(own, attended).transpose(0, 1), logits, weights)

    def encode(self, obs: Tensor, actions: Tensor) -> Tensor:
        """e, what others may attend to: normalised [N, B, O], [N, B, A] -> [N, B, D]."""
        return F.leaky_relu_(self.encoder(torch.cat([obs, actions], dim=-1)))

    def encode_every(self, obs: Tensor, actions: Tensor) -> Tensor:
        """`encode` of each of the A rows of actions at each observation.

        Normalised [N, B, O], [N, A, A] -> [N, A, B, D]. What all rows have in common is computed once.
        """
        seen, done = self.encoder.weight.split([obs.shape[-1], actions.shape[-1]], dim=1)
        common = torch.baddbmm(self.encoder.bias, obs, seen)
        return F.leaky_relu_(common.unsqueeze(1) + (actions @ done).unsqueeze(2))

    def encode_own(self, obs: Tensor) -> Tensor:
        """s, what each agent sees itself: normalised [N, B, O] -> [N, B, D]."""
        return F.leaky_relu_(self.state_encoder(obs))

    def keys(self, encodings: Tensor) -> Tensor:
        """K e: [N, B, D] -> [B, H, N, D / H]."""
        return self._by_head(self.key(encodings))

    def attended_values(self, encodings: Tensor) -> Tensor:
        """f(V e): [N, B, D] -> [B, H, N, D / H]."""
        return self._by_head(F.leaky_relu_(self.value(encodings)))

    def queries(self, own: Tensor) -> Tensor:
        """W_q s: [N, B, D] -> [B, H, N, D / H]."""
        return self._by_head(self.query(own))

    def logits(self, queries: Tensor, keys: Tensor) -> Tensor:
        """<query_i, key_j>: [B, H, N, D / H] twice -> [B, H, N, N]."""
        if self.agents <= FEW:
            return _products_of_pairs(queries, keys)
        return queries @ keys.transpose(-1, -2)

    def weights(self, logits: Tensor) -> Tensor:
        """How much agent i attends to agent j, zero to itself: [B, H, N, N], rows of sum 1."""
        scaled = logits / math.sqrt(self.key.out_features // self.heads)
        return softmax(scaled.masked_fill(self.self_mask, -math.inf))

    def attend(self, weights: Tensor, values: Tensor) -> Tensor:
        """x, all heads side by side: [B, H, N, N], [B, H, N, D / H] -> [N, B, D]."""
        if self.agents <= FEW:
            return _sums_over_others(weights, values)
        return (weights @ values).permute(2, 0, 1, 3).flatten(2)

    def own_values(self, own: Tensor, attended: Tensor) -> Tensor:
        """Q of every own action: [N, B, D] twice -> [N, B, A]."""
        from_own, for_attended = self._first_layer(own)
        hidden = self.head.activation(torch.baddbmm(from_own, attended, for_attended))
        return self.head.layers[-1](hidden)

    @torch.no_grad()
    def taken_values(self, own: Tensor, attended: Tensor, actions: Tensor) -> Tensor:
        """Q of one own action where each agent attends to K things instead of one.

        s [N, B, D], x [N, K, B, D], actions [B, N] int64 -> [N, K, B], without a gradient.
        """
        from_own, for_attended = self._first_layer(own)
        last = self.head.layers[-1]
        hidden = torch.bmm(attended.flatten(1, 2), for_attended).view_as(attended)
        hidden = self.head.activation(hidden.add_(from_own.unsqueeze(1)))
        chosen = actions.T.unsqueeze(-1)  # [N, B, 1]
        weight = last.weight.transpose(1, 2).gather(1, chosen.expand(-1, -1, hidden.shape[-1]))  # [N, B, D]
        bias = last.bias.expand(-1, len(actions), -1).gather(2, chosen).squeeze(-1)  # [N, B]
        return hidden.mul_(weight.unsqueeze(1)).sum(dim=-1) + bias.unsqueeze(1)

    def logit_penalty(self, logits: Tensor) -> Tensor:
        """sum_i sum_h of the mean over batch and j != i of the squared logits: a scalar."""
        games, _, agents, _ = logits.shape
        return logits.masked_fill(self.self_mask, 0.0).square().sum() / (games * (agents - 1))

    def shared_parameters(self) -> list[nn.Parameter]:
        """Those in which the losses of all N agents meet: K, W_q, V and the encoders e."""
        modules = (self.encoder, self.key, self.query, self.value)
        return [parameter for module in modules for parameter in module.parameters()]

    def _first_layer(self, own: Tensor) -> tuple[Tensor, Tensor]:
        """What s gives to the head's first layer, [N, B, D], and the weights [N, D, D] for x: nobody copies [s; x]."""
        first = self.head.layers[0]
        for_own, for_attended = first.weight.chunk(2, dim=1)
        return torch.baddbmm(first.bias, own, for_own), for_attended

    def _by_head(self, rows: Tensor) -> Tensor:
        """[N, B, D] -> [B, H, N, D / H]."""
        return rows.unflatten(-1, (self.heads, -1)).permute(1, 2, 0, 3)


def normalised(inputs: Tensor, like: Tensor) -> Tensor:
    """`inputs` less the mean, over the standard deviation, that each feature has in the batch `like`: [B, N, I].

    Batch normalisation without scale and shift. No gradient passes through what is measured.
    """
    variance, mean = torch.var_mean(like.detach(), dim=0, correction=0)
    return (inputs - mean) * (variance + NORM_EPS).rsqrt()


def _products_of_pairs(queries: Tensor, keys: Tensor) -> Tensor:
    """<query_i, key_j> pair by pair, zero where i = j: [B, H, N, d] twice -> [B, H, N, N], agents first in memory."""
    asked, found = queries.unbind(2), keys.unbind(2)
    nothing = queries.new_zeros(queries.shape[:2])
    rows = [
        [nothing if i == j else (query * key).sum(dim=-1) for j, key in enumerate(found)]
        for i, query in enumerate(asked)
    ]
    return torch.stack([torch.stack(row) for row in rows]).permute(2, 3, 0, 1)


def _sums_over_others(weights: Tensor, values: Tensor) -> Tensor:
    """sum_{j != i} weight_ij value_j pair by pair: [B, H, N, N], [B, H, N, d] -> [N, B, H d]."""
    said = values.unbind(2)
    attended = []
    for i, row in enumerate(weights.permute(2, 3, 0, 1).unsqueeze(-1).unbind()):
        (share, value), *rest = ((share, said[j]) for j, share in enumerate(row.unbind()) if j != i)
        total = share * value
        for share, value in rest:
            total = torch.addcmul(total, share, value)
        attended.append(total)
    return torch.stack(attended).flatten(2)
