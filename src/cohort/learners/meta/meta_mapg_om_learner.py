"""Meta-MAPG that is not told its peers' parameters (appendix B)."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.matches import Policies
from cohort.chains.modelled import Likelihood, ModelledPeers
from cohort.chains.sampled import SampledStage
from cohort.chains.unroll import unroll
from cohort.components.seeding import generator
from cohort.learners.meta.meta_base import only_repeated_games
from cohort.learners.meta.meta_mapg_learner import MetaMAPGLearner, MetaMAPGLearnerSettings

FIRST_GUESS = 0.01  # spread of a guess's logits before anything was seen


class MetaMAPGOMLearnerSettings(MetaMAPGLearnerSettings):
    om_lr: float = Field(gt=0, description="step size of fitting a peer's policy to its actions")
    om_steps: int = Field(ge=1, description="most steps of one fit")
    om_tolerance: float = Field(gt=0, description="a fit ends when no entry of its gradient is larger")


class MetaMAPGOMLearner(MetaMAPGLearner):
    """Meta-MAPG with opponent modelling, Algorithms 3 and 4: guessed parameters in place of the peers' own.

    The peers' rewards are taken from the game, which is known to all.
    """

    Settings = MetaMAPGOMLearnerSettings

    def __init__(self, settings: MetaMAPGOMLearnerSettings, **task: Any) -> None:
        only_repeated_games(
            task["game"], "meta_mapg_om_learner guesses tables from how often each action was taken"
        )
        super().__init__(settings, **task)
        self.guesses = generator(self.seed, "guesses")
        self.keep(guesses=self.guesses)

    def chain(self, start: Policies, rates: list[Tensor], chance: Tensor) -> list[SampledStage]:
        settings = self.settings
        likelihood = Likelihood(settings.om_lr, settings.om_steps, settings.om_tolerance)
        peers = ModelledPeers(self.differentiated, start[1:], rates[1:], likelihood, chance)
        guessed = [self._first_guess(each["logits"]) for each in start[1:]]
        return list(
            unroll(peers.stage, [start[0], *guessed], rates, differentiate=True, own=settings.own_learning)
        )

    def _first_guess(self, like: Tensor) -> dict[str, Tensor]:
        """Chain by chain, so that how many are in memory at once changes nothing."""
        guess = [torch.randn(like.shape[1:], generator=self.guesses) for _ in like]
        return {"logits": (FIRST_GUESS * torch.stack(guess)).to(like).requires_grad_()}
