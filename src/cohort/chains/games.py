"""What chains can be played in."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Rollout(Protocol):
    """K matches in each of C chains while they are played. No gradient."""

    steps: int
    draws: Tensor
    """What decides the agents' actions, step by step: [T, N, C, K, ...]."""

    seen: Tensor
    """What all agents see now: [C, K] int64, or [C, K, O] where observations are vectors."""

    def step(self, actions: Sequence[Tensor]) -> None:
        """Everybody's actions: [C, K] int64 of each agent, or [C, K, U] where they are continuous."""

    def follow(self, answers: Sequence[Tensor]) -> None:
        """T' steps by each agent's actions in each of S states, [T', C, S, K] int64; only where states are discrete."""

    def record(self) -> tuple[Tensor, Tensor, Tensor]:
        """Once they are over: states [C, K, T, ...], actions [C, K, T, N, ...] and reward [C, K, T, N]."""


class ChainGame(Protocol):
    """A game of N agents that is played in matches of fixed length, all that is random in it drawn beforehand."""

    n_agents: int
    n_inputs: int
    """S states, which networks see one-hot, or O numbers of an observation."""

    n_actions: int  # A of discrete actions; 0 where they are continuous
    action_dim: int
    """U of continuous actions, which are clipped to [-1, 1]; 0 where actions are discrete."""

    reward_scale: float  # what rewards are multiplied by for learning
    temperaments: tuple[str, ...]
    """Of the peers' first policies; () where there are no kinds of them."""

    def chance(self, lead: tuple[int, ...], steps: int, generator: torch.Generator) -> Tensor:
        """All that is random in matches of T = `steps`, the agents' choices included: [*lead, ...] on the CPU."""

    def begin(self, chance: Tensor) -> Rollout:
        """New matches from such numbers, [C, K, ...]."""


class ChainEnv(Protocol):
    """An environment that such a game is a part of: its class says `provides = ("chains",)`."""

    game: ChainGame


class DirectedChainEnv(ChainEnv, Protocol):
    """One whose game is to run in a direction, and has a twin that runs in another: `provides` "directions" as well."""

    def game_towards(self, direction: str) -> ChainGame:
        """The game of the same settings in this direction."""


class MatrixGame(ChainGame, Protocol):
    """One matrix game again and again, whose state is the joint action before: values have a closed form."""

    payoff: Tensor  # [A^N, N], what every agent gets for a joint action
    joint_actions: Tensor  # [A^N, N], the joint action behind each row of it
    n_states: int  # A^N and the beginning, which is state 0; 1 + i follows the joint action of row i
