"""The head of a team with roles: one policy for each role on the agents' one body."""

from pydantic import Field
from torch import Tensor

from cohort.controllers.heads import UtilityHead
from cohort.envs.base import EnvSpec
from cohort.modules.roles import FEWEST_PLACES, Roles
from cohort.settings import Settings


class RolePoliciesHeadSettings(Settings):
    action_latent_dim: int = Field(ge=1, description="D, dimensions of the actions' representations")
    n_role_clusters: int = Field(
        ge=1, description="clusters of actions; those with a single action make no role"
    )


class RolePoliciesHead(UtilityHead):
    """Outputs are q_rho(h_i) for every role rho, of which come Q_i(a | rho) = <q_rho(h_i), E_a>.

    RODE (arXiv:2010.01523), section 3.3.
    """

    Settings = RolePoliciesHeadSettings

    name = "role_policies"
    provides = ("roles",)
    requires_of_mac = ("roles",)

    def __init__(self, settings: RolePoliciesHeadSettings, *, spec: EnvSpec) -> None:
        super().__init__(settings, spec=spec)
        if settings.n_role_clusters > spec.n_actions:
            raise ValueError(
                f"n_role_clusters={settings.n_role_clusters} is more than the {spec.n_actions} actions there are "
                "to be clustered: choose a number between 1 and that"
            )
        self.latent_dim = settings.action_latent_dim
        self.roles = Roles(
            most=max(FEWEST_PLACES, settings.n_role_clusters),
            n_actions=spec.n_actions,
            latent_dim=self.latent_dim,
        )
        self.output_dim = self.roles.most * self.latent_dim

    def forward(self, outputs: Tensor) -> Tensor:
        """[..., R D] -> [..., R, D]."""
        return outputs.unflatten(-1, (self.roles.most, self.latent_dim))
