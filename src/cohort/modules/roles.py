"""RODE's roles: what each may do, and the representations by which actions and roles are valued."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

FIRST_ROLES = 3  # before there are clusters; and no fewer afterwards
FEWEST_PLACES = 4  # two clusters make four roles


class RoleSpaces(NamedTuple):
    """The roles that clusters of actions make."""

    allowed: Tensor  # [R, A] bool, what each role may do
    actions: Tensor  # [A, D], the actions' representations


class Roles(nn.Module):
    """RODE (arXiv:2010.01523, sections 3.1 and 3.2): what is fixed about the roles. Nothing here is learned.

    There are places for `most` roles, of which the first so many exist. Until clusters are formed, 3 roles may do
    everything and all representations are ones, as in the authors' code.
    """

    def __init__(self, *, most: int, n_actions: int, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("action_latents", torch.ones(n_actions, latent_dim))  # E
        self.register_buffer("role_latents", torch.ones(most, latent_dim))  # L
        self.register_buffer("allowed", torch.ones(most, n_actions, dtype=torch.bool))
        self.register_buffer("exists", torch.arange(most) < FIRST_ROLES)

    @property
    def most(self) -> int:
        """The places."""
        return len(self.exists)

    @torch.no_grad()
    def become(self, spaces: RoleSpaces) -> None:
        """From now on there are these roles: L_rho is the mean of its actions' E."""
        count = len(spaces.allowed)
        members = spaces.allowed.to(spaces.actions)
        self.action_latents.copy_(spaces.actions)
        self.role_latents[:count] = members @ spaces.actions / members.sum(dim=1, keepdim=True)
        self.allowed[:count] = spaces.allowed
        self.exists.copy_(torch.arange(self.most) < count)

    def action_values(self, queries: Tensor, roles: Tensor) -> Tensor:
        """Q_i(a | rho) = <q_rho(h_i), E_a> in each agent's role: [..., R, D], [...] int64 -> [..., A]."""
        place = roles[..., None, None].expand(*roles.shape, 1, queries.shape[-1])
        return queries.gather(-2, place).squeeze(-2) @ self.action_latents.t()

    def role_values(self, queries: Tensor) -> Tensor:
        """Q_i(rho) = <k(g_i), L_rho> of every place: [..., D] -> [..., R]."""
        return queries @ self.role_latents.t()
