"""A team one can compute by hand: constant scalar policies and a critic with one product in it."""

import torch
from torch import Tensor, nn

from cohort.components.transitions import Transitions
from cohort.envs.base import EnvSpec
from cohort.learners.actor_critic.adama_learner import AdaMaLearner
from tests.builders import make_learner

SPEC = EnvSpec(n_agents=2, n_actions=0, obs_dim=1, state_dim=1, episode_limit=1, action_dim=1)


class Constant(nn.Module):
    """a_i = theta_i, whatever is seen."""

    def __init__(self, *theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64).view(-1, 1, 1))

    def forward(self, obs: Tensor) -> Tensor:
        return self.theta.transpose(0, 1).expand(len(obs), -1, -1)


class Product(nn.Module):
    """Q = phi_1 a_1 + phi_2 a_2 + phi_3 a_1 a_2."""

    def __init__(self, *phi: float) -> None:
        super().__init__()
        self.phi = nn.Parameter(torch.tensor(phi, dtype=torch.float64))

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        first, second = actions[:, 0, 0], actions[:, 1, 0]
        return self.phi[0] * first + self.phi[1] * second + self.phi[2] * first * second


def learner(**typed) -> AdaMaLearner:
    """theta = (1, 2), phi = (1, 2, 0.5), rates at half of l = 0.01, m = 40."""
    algorithm = "adama_2nd" if "second_order" in typed else "adama"
    settings = make_learner(
        algorithm, env="going_together", spec=SPEC, gamma=0.0, adama_m=40.0, **typed
    ).settings
    return AdaMaLearner(
        settings, spec=SPEC, policy=Constant(1, 2), make_critic=lambda: Product(1, 2, 0.5),
        device=torch.device("cpu"), seed=0,
    )  # fmt: skip


def one_sample(target: float = 5.0) -> Transitions:
    """The replayed actions (1, 2) with the target y."""
    nothing = torch.ones(1, 2, 0, dtype=torch.bool)
    sight = torch.zeros(1, 2, 1, dtype=torch.float64)
    no = torch.zeros(1, dtype=torch.bool)
    return Transitions(
        obs=sight, next_obs=sight, state=sight[0], next_state=sight[0],
        available_actions=nothing, next_available_actions=nothing,
        actions=torch.tensor([[[1.0], [2.0]]], dtype=torch.float64),
        reward=torch.tensor([target], dtype=torch.float64), terminated=no, truncated=no,
    )  # fmt: skip
