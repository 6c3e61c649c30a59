"""Matches of a repeated game, C x K at once on tensors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from src.envs.repeated_games import RepeatedGame
from src.modules.policies import Params, Policy

Policies = list[Params]  # one dictionary for each agent, in the game's order


class Matches(NamedTuple):
    """K matches of T steps in each of C chains."""

    states: Tensor  # [C, K, T] int64, what all agents saw
    actions: Tensor  # [C, K, T, N] int64
    reward: Tensor  # [C, K, T, N]
    traces: tuple[Any, ...] | None = None  # of each agent's player, where these matches were played

    @property
    def score(self) -> Tensor:
        """Every agent's mean reward per step, [C, N]."""
        return self.reward.mean(dim=(1, 2))

    def action_shares(self, n_actions: int) -> Tensor:
        """How often every agent took each of its actions, [C, N, A]; sums to 1 over the last."""
        shares = self.reward.new_zeros(len(self.reward), self.reward.shape[-1], n_actions)
        for action in range(n_actions):
            shares[..., action] = (self.actions == action).to(shares.dtype).mean(dim=(1, 2))
        return shares


def play_matches(
    game: RepeatedGame, policies: Sequence[Policy], params: Policies, uniform: Tensor
) -> Matches:
    """Play to the horizon. `uniform` [C, K, T, N], drawn beforehand from [0, 1), decides every action."""
    chains, matches, steps, n_agents = uniform.shape
    with torch.no_grad():
        players = [policy.player(each, matches, steps) for policy, each in zip(policies, params, strict=True)]
        places = [game.n_actions ** (n_agents - 1 - agent) for agent in range(n_agents)]
        states = torch.zeros(steps + 1, chains, matches, dtype=torch.int64, device=uniform.device)
        draws = uniform.permute(2, 3, 0, 1).contiguous()  # [T, N, C, K]
        for now, following, draw in zip(states[:-1], states[1:], draws, strict=True):
            following.fill_(1)
            for player, place, numbers in zip(players, places, draw, strict=True):
                following.add_(player(now, numbers), alpha=place)
        states = states.permute(1, 2, 0)
        return Matches(
            states=states[..., :-1].contiguous(),
            actions=game.joint_actions[states[..., 1:] - 1],
            reward=game.reward(states[..., 1:]),
            traces=tuple(player.trace for player in players),
        )
