"""What an environment is: B games that advance together."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from cohort.envs.spec import EnvSpec


class Observation(NamedTuple):
    """What can be seen at one moment."""

    obs: Tensor  # [B, N, O] float32, or uint8 where they are pictures
    state: Tensor  # [B, S] float32, or uint8
    available_actions: Tensor  # [B, N, A] bool, at least one per agent; A is 0 where actions are continuous


class Transition(NamedTuple):
    """What one step of every game brought.

    `terminated` ends the game (nothing follows, no bootstrapping); `truncated` only cuts the episode (a value
    follows). The two are never merged. A game that has ended is frozen: stepping it changes nothing and pays 0.
    """

    observation: Observation
    reward: Tensor  # [B] float32, or [B, N] where agents have rewards of their own
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool
    info: dict[str, Tensor]  # one [B] entry for each of EnvSpec.info_keys, final once the game has ended
    # [B] bool: the game broke off for a reason outside the game (a process died); it counts as truncated, and whoever
    # records episodes throws this one away. None where that cannot happen.
    spoiled: Tensor | None = None


class MultiAgentEnv(Protocol):
    """B games advancing together. Native environments are tensor programs without loops over B or N."""

    spec: EnvSpec
    batch_size: int

    def reset(self) -> Observation:
        """Begin a new episode in every game."""

    def step(self, actions: Tensor) -> Transition:
        """Advance every game by one step; `actions` is [B, N] int64, or [B, N, U] float32 where continuous."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what this environment does next."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`, bit for bit."""


def refuse_other_games(saved: int, here: int) -> None:
    """Raises `ValueError` where a saved state is of another number of games."""
    if saved != here:
        raise ValueError(f"the saved state is of {saved} games, here are {here}")
