"""Modelling policies: what each agent expects the others to do, of what it sees itself (MAMT, ICLR 2022)."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.functional import kl_divergence, masked_log_softmax, taken
from cohort.envs.base import EnvSpec
from cohort.modules.critics.attention import normalised
from cohort.modules.stacked import StackedMLP
from cohort.settings import Settings


class ModellingSettings(Settings):
    modelling_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the hidden layers of each agent's model of the others"
    )
    modelling_lr: float = Field(ge=0, description="learning rate of the modelling policies' Adam")
    modelling_grad_norm_clip: float = Field(
        gt=0, description="largest norm of the gradient of each agent's modelling policies"
    )
    modelling_penalty: float = Field(
        ge=0, description="weight of the squared logits of the modelling policies"
    )


class ModellingPolicies(nn.Module):
    """h_ij(. | o_i) for every agent i and other agent j: one perceptron for each agent i, with a head for each j.

    The layers are an actor's: inputs normalised over the batch, leaky ReLUs.
    """

    def __init__(self, settings: ModellingSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self.n_agents = spec.n_agents
        sizes = (spec.obs_dim, *settings.modelling_hidden_dims, spec.n_agents * spec.n_actions)
        self.networks = StackedMLP(spec.n_agents, sizes, "leaky_relu")
        self.register_buffer("others", ~torch.eye(spec.n_agents, dtype=torch.bool), persistent=False)

    def forward(self, obs: Tensor) -> Tensor:
        """Logits of h_ij: [B, N, O] -> [B, N, N, A], i before j. Those of i = j mean nothing."""
        rows = self.networks(normalised(obs, obs).transpose(0, 1))  # [N, B, N A]
        return rows.transpose(0, 1).unflatten(-1, (self.n_agents, -1))

    def loss(
        self, log_probs: Tensor, logits: Tensor, actions: Tensor, penalty: float
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy, mean over batch and pairs, and it with `penalty` times the mean squared logit: scalars.

        log h and logits [B, N, N, A], actions [B, N] that were taken.
        """
        count = len(actions) * self.n_agents * (self.n_agents - 1)
        chosen = taken(log_probs, actions.unsqueeze(1).expand(log_probs.shape[:-1]))
        cross_entropy = -chosen.masked_fill(~self.others, 0.0).sum() / count
        squares = logits.square().mean(dim=-1).masked_fill(~self.others, 0.0).sum() / count
        return cross_entropy, cross_entropy + penalty * squares


def modelled(logits: Tensor, available_actions: Tensor) -> Tensor:
    """log h_ij over what agent j can do: logits [B, N, N, A], available actions [B, N, A] -> [B, N, N, A]."""
    return masked_log_softmax(logits, available_actions.unsqueeze(1).expand(logits.shape))


def model_error(log_models: Tensor, log_probs: Tensor) -> Tensor:
    """KL(h_ij || pi_j), exact in the actions: log h [R, N, N, A], log pi [R, N, A] -> [R, N, N]."""
    return kl_divergence(log_models, log_probs.unsqueeze(1).expand(log_models.shape))


def surrogate(coefficients: Tensor, divergence: Tensor, most: float) -> Tensor:
    """D_i = sum_{j != i} C_ij KL_ij, at most `most` (equation 6): [R, N, N] twice -> [R, N].

    What is zero in C counts nothing, even where its divergence is infinite.
    """
    return torch.where(coefficients > 0, coefficients * divergence, 0.0).sum(dim=-1).clamp(max=most)
