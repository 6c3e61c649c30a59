"""Weighted QMIX: a method as from outside the tree, which docs/write_a_method.md takes apart.

The tree's own, `--config=ow_qmix` and `cw_qmix`, is src/cohort/learners/value/weighted_q_learner.py.
"""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.episodes import Episodes
from cohort.components.functional import greedy_actions, masked_mean, one_step_target, taken
from cohort.envs.base import EnvSpec
from cohort.learners.base import Loss
from cohort.learners.value.q_learner import QLearner, QLearnerSettings, StateMixing


class WeightedQLearnerSettings(QLearnerSettings):
    weighting: Literal["central", "optimistic"] = Field(description="CW-QMIX, or OW-QMIX")
    weight: float = Field(gt=0, le=1, description="alpha, what an error counts that is not in favour")
    central_embed_dim: int = Field(ge=1, description="units of the unrestricted mixer's hidden layers")


class UnrestrictedMixer(nn.Module):
    """Q^*(s, u) = f(s, Q_1, ..., Q_N): any function of the utilities, not only one that rises with each."""

    def __init__(self, spec: EnvSpec, hidden: int) -> None:
        super().__init__()
        sizes = (
            nn.Linear(spec.state_dim + spec.n_agents, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, 1),
        )
        self.layers = nn.Sequential(sizes[0], nn.ReLU(), sizes[1], nn.ReLU(), sizes[2])

    def forward(self, utilities: Tensor, state: Tensor) -> Tensor:
        """[B, T, N], [B, T, S] -> [B, T, 1]."""
        return self.layers(torch.cat([state, utilities], dim=-1))


class WeightedQLearner(QLearner):
    """Weighted QMIX (Rashid et al. 2020, arXiv:2006.10800, eq. 5 to 10).

    Q^* has utilities and a mixer of its own. Errors of Q_tot count `weight` unless the joint action was underestimated
    (optimistic), or is the greedy one or looks better than it to Q^* (central).
    """

    Settings = WeightedQLearnerSettings

    def make_mixing(
        self, settings: WeightedQLearnerSettings, mixer: nn.Module, *, spec: EnvSpec, device: Any, seed: int
    ) -> StateMixing:
        mixing = StateMixing(mixer)
        central = UnrestrictedMixer(spec, settings.central_embed_dim).to(device)
        mixing.networks |= {"central_policy": self.policy.fresh(), "central_mixer": central}
        return mixing

    def loss(self, episodes: Episodes) -> Loss:
        inputs, state, actions = self.policy.inputs(episodes), episodes.state, episodes.actions
        utilities = self.policy.unroll(inputs, episodes)  # [B, T+1, N, A]
        central = self.networks["central_policy"].unroll(inputs, episodes)
        q_tot = self.networks["mixer"](taken(utilities[:, :-1], actions), state[:, :-1])  # [B, T, 1]
        q_star = self.networks["central_mixer"](taken(central[:, :-1], actions), state[:, :-1])
        with torch.no_grad():
            best = greedy_actions(utilities, episodes.available_actions)  # [B, T+1, N]
            following = taken(self.targets["central_policy"].unroll(inputs, episodes), best)[:, 1:]
            following = self.targets["central_mixer"](following, state[:, 1:])
            y = one_step_target(episodes.reward, episodes.terminated, following, self.settings.gamma)
            if self.settings.weighting == "optimistic":
                favoured = q_tot < y
            else:
                value = self.networks["central_mixer"](taken(central, best)[:, :-1], state[:, :-1])
                favoured = (y > value) | (actions == best[:, :-1]).all(dim=-1, keepdim=True)
            weight = torch.where(favoured, 1.0, self.settings.weight)
        mask = episodes.mask.unsqueeze(-1)
        error = weight * (q_tot - y).square() + (q_star - y).square()
        metrics = {"q_taken_mean": masked_mean(q_tot.detach(), mask), "target_mean": masked_mean(y, mask)}
        return Loss(masked_mean(error, mask), metrics)
