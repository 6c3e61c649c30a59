"""What is in a particle world, and what a picture may look at."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from cohort.envs.base import EnvSpec


class Body(NamedTuple):
    """What one entity is."""

    kind: Literal["agent", "landmark", "prey"]
    owner: int | None = None  # the agent that a landmark belongs to


class Marks(NamedTuple):
    """What a picture shows beside the entities: what the reward looks at."""

    lines: Sequence[tuple[np.ndarray, np.ndarray]] = ()  # from a place [2] to another
    rings: Sequence[tuple[np.ndarray, float]] = ()  # place [2] and radius; agents within light up


class Drawable(Protocol):
    """What pictures read of an environment: `ParticleEnv` is one."""

    settings: Any  # with world_size
    batch_size: int
    spec: EnvSpec
    n_agents: int
    cast: tuple[Body, ...]
    title: str
    arena: float | None
    scene: Any
    t: int
    paid: Tensor

    def positions(self, scene: Any) -> Tensor:
        """[B, E, 2]."""

    def marks(self, places: np.ndarray, game: int) -> Marks:
        """What a picture of one game, its entities at `places` [E, 2], shows beside them."""
