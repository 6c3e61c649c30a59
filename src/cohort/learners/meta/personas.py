"""Populations of peers: what policies the other agents begin with (Meta-MAPG, appendix E.1 and E.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cohort.chains.games import MatrixGame
from cohort.components.seeding import generator
from cohort.modules.policies import Params

LEAST_PROBABILITY = 1e-6
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Personas:
    """P tabular policies.

    Attributes:
        params: `logits` [P, S, A], log-probabilities of the actions in every state.
        temperament: [P] int64, the action each of them prefers.
    """

    params: Params
    temperament: Tensor

    @property
    def logits(self) -> Tensor:
        return self.params["logits"]

    def __len__(self) -> int:
        return len(self.logits)


def draw_personas(
    game: MatrixGame, per_temperament: int, low: float, high: float, generator: torch.Generator
) -> Personas:
    """As many personas of every temperament.

    In each state a persona plays the action it prefers with a probability uniform in [low, high), drawn anew for every
    state; the other actions share the rest equally.
    """
    size, count = game.n_actions, per_temperament * game.n_actions
    temperament = torch.arange(size).repeat_interleave(per_temperament)
    preferred = low + (high - low) * torch.rand(
        count, game.n_states, dtype=torch.float64, generator=generator
    )
    rest = (1 - preferred) / (size - 1)
    likes = torch.nn.functional.one_hot(temperament, size).bool()[:, None]  # [P, 1, A]
    probabilities = torch.where(likes, preferred[..., None], rest[..., None])
    probabilities = probabilities.clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return Personas({"logits": probabilities.log().to(torch.float32)}, temperament)


def draw_population(
    game: MatrixGame, seed: int, sizes: tuple[int, int, int], boundary: float | None = None
) -> dict[str, Personas]:
    """The personas to train on, to choose the model by and to test with, named as in `SPLITS`.

    Args:
        game: what is played.
        seed: the same seed gives the same population.
        sizes: of each temperament, for the three splits.
        boundary: None draws all three alike, the preferred action's probability between 1/A and 1. Otherwise the test
            lies out of the training distribution: the first two splits stay below this probability, the test above.
    """
    middle = 1.0 if boundary is None else boundary
    ranges = [(1 / game.n_actions, middle)] * 2
    ranges.append((1 / game.n_actions, 1.0) if boundary is None else (boundary, 1.0))
    return {
        split: draw_personas(game, size, *limits, generator(seed, f"personas/{split}"))
        for split, size, limits in zip(SPLITS, sizes, ranges, strict=True)
    }
