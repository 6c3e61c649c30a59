"""LICA's critic: a hypernetwork of the state that reads the chances of all agents' actions."""

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.envs.base import EnvSpec
from cohort.settings import Settings


class LICACriticSettings(Settings):
    critic_hidden_dim: int = Field(ge=1, description="units of the critic's hidden layer")
    critic_hypernet_dim: int = Field(
        ge=1, description="units of the hidden layer of the networks that produce its weights"
    )


class LICACritic(nn.Module):
    """Q(s, p) = relu(p^T W1(s) + b1(s)) w2(s) + b2(s) (LICA, arXiv:2007.02529; its authors' code).

    p are the chances of all agents' actions side by side, one-hot for actions that were played. The weights may be
    negative: what one agent's chance is worth depends on the others', and may fall with it.
    """

    Settings = LICACriticSettings

    policy_kind = "action probabilities"
    critic_values = "joint chances"

    def __init__(self, settings: LICACriticSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        self.joint, self.hidden = spec.n_agents * spec.n_actions, settings.critic_hidden_dim

        def weights(outputs: int, through: int) -> nn.Module:
            return nn.Sequential(nn.Linear(spec.state_dim, through), nn.ReLU(), nn.Linear(through, outputs))

        self.hyper_w1 = weights(self.joint * self.hidden, settings.critic_hypernet_dim)
        self.hyper_w2 = weights(self.hidden, settings.critic_hypernet_dim)
        self.hyper_b1 = nn.Linear(spec.state_dim, self.hidden)
        self.value = weights(1, self.hidden)

    def forward(self, chances: Tensor, state: Tensor) -> Tensor:
        """[..., N, A], [..., S] -> [..., 1]."""
        w1 = self.hyper_w1(state).unflatten(-1, (self.joint, self.hidden))  # [..., N A, H]
        hidden = F.relu((chances.flatten(-2).unsqueeze(-1) * w1).sum(dim=-2) + self.hyper_b1(state))
        return (hidden * self.hyper_w2(state)).sum(dim=-1, keepdim=True) + self.value(state)
