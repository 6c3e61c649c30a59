"""Matches of a game, C x K at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cohort.chains.games import ChainGame
from cohort.modules.policies import Params, Policy

# What memoryless players would do in every state is found for many steps in one operation, where that is little.
ANSWERS_AT_ONCE = 2**16  # in memory, C K S for each step
FEWEST_STEPS = 16  # with fewer at once, asking for one state at a time is as fast

Policies = list[Params]  # one dictionary for each agent, in the game's order


class Matches(NamedTuple):
    """K matches of T steps in each of C chains."""

    states: Tensor  # what all agents saw: [C, K, T] int64, or [C, K, T, O] where observations are vectors
    actions: Tensor  # [C, K, T, N] int64, or [C, K, T, N, U] where they are continuous, before any clipping
    reward: Tensor  # [C, K, T, N]
    traces: tuple[Any, ...] | None = None  # of each agent's player, where these matches were played

    @property
    def score(self) -> Tensor:
        """Every agent's mean reward per step, [C, N]."""
        return self.reward.mean(dim=(1, 2))

    def action_shares(self, n_actions: int) -> Tensor:
        """How often every agent took each of its actions, if they are discrete: [C, N, A], 1 in all over the last."""
        shares = self.reward.new_zeros(len(self.reward), self.reward.shape[-1], n_actions)
        for action in range(n_actions):
            shares[..., action] = (self.actions == action).to(shares.dtype).mean(dim=(1, 2))
        return shares


def play_matches(game: ChainGame, policies: Sequence[Policy], params: Policies, chance: Tensor) -> Matches:
    """Play to the horizon. `chance` [C, K, ...], drawn beforehand by the game, decides all that is random."""
    chains, matches = chance.shape[:2]
    with torch.no_grad():
        rollout = game.begin(chance)
        players = [
            policy.player(each, matches, rollout.steps) for policy, each in zip(policies, params, strict=True)
        ]
        at_once = ANSWERS_AT_ONCE // (chains * matches * game.n_inputs)
        if at_once >= FEWEST_STEPS and all(policy.memoryless for policy in policies):
            for some in rollout.draws.split(at_once):
                each = zip(players, some.unbind(dim=1), strict=True)
                rollout.follow([player.answers(draws) for player, draws in each])
        else:
            for draws in rollout.draws:
                rollout.step(
                    [player(rollout.seen, each) for player, each in zip(players, draws, strict=True)]
                )
        return Matches(*rollout.record(), traces=tuple(player.trace for player in players))
