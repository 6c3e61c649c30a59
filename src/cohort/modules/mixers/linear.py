"""DOP's mixer: a weighted mean of the agents' values, its weights read off the state."""

from pydantic import Field
from torch import Tensor, nn

from cohort.envs.base import EnvSpec
from cohort.modules.mixers.simple import refuse_several_outputs
from cohort.settings import Settings

SMALLEST_SUM = 1e-10  # of weights that are all zero


class LinearMixerSettings(Settings):
    mixing_embed_dim: int = Field(ge=1, description="E, units of the mixing network's hidden layer")


class LinearMixer(nn.Module):
    """Q_tot = sum_i k_i(s) Q_i with k(s) = |W1(s)| |w2(s)|, over its sum (DOP, arXiv:2007.12322; its authors' code).

    As Q_tot is linear in each Q_i, its mean over independent policies is Q_tot of the agents' means: no joint action
    need be enumerated.
    """

    Settings = LinearMixerSettings

    provides = ("weights",)

    def __init__(self, settings: LinearMixerSettings, *, spec: EnvSpec, outputs: int = 1) -> None:
        super().__init__()
        refuse_several_outputs("linear", outputs)
        self.n_agents, self.embed = spec.n_agents, settings.mixing_embed_dim
        self.hyper_w1 = nn.Linear(spec.state_dim, self.n_agents * self.embed)
        self.hyper_w2 = nn.Linear(spec.state_dim, self.embed)

    def weights(self, state: Tensor) -> Tensor:
        """k, at least 0 and of sum 1: [..., S] -> [..., N]."""
        w1 = self.hyper_w1(state).abs().unflatten(-1, (self.n_agents, self.embed))  # [..., N, E]
        weights = (w1 * self.hyper_w2(state).abs().unsqueeze(-2)).sum(dim=-1)
        return weights / weights.sum(dim=-1, keepdim=True).clamp(min=SMALLEST_SUM)

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[..., N], [..., S] -> [..., 1]."""
        return (self.weights(state) * utilities).sum(dim=-1, keepdim=True)
