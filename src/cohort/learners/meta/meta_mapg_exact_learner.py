"""Meta-MAPG without sampling: a tabular first policy, exact values, exact inner updates."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.exact import ExactStage, ExactValues, action_shares, mean_reward
from cohort.chains.games import MatrixGame
from cohort.chains.unroll import unroll
from cohort.components.averages import Metrics
from cohort.learners.meta.gradients import rows, step_along
from cohort.learners.meta.meta_base import (
    Adaptation,
    ChainLearner,
    DifferentiatedChainSettings,
    chain_metrics,
    count,
    make_policies,
    only_repeated_games,
)
from cohort.learners.optimisers import Adam
from cohort.modules.policies import Params


class MetaMAPGExactLearnerSettings(DifferentiatedChainSettings):
    outer_lr: float = Field(gt=0, description="Adam's rate for the first policy and the inner step sizes")


class MetaMAPGExactLearner(ChainLearner):
    """Meta-MAPG's equations 2 and 4 as they stand, with values of matches without end in closed form.

    Ascends sum_{l=1..L} V^0(phi_l) of peers' first policies by Adam; what sampling, critic and advantages stand for in
    `MetaMAPGLearner` is exact here. Scores are expected rewards per step over a match.
    """

    Settings = MetaMAPGExactLearnerSettings

    game: MatrixGame

    def __init__(self, settings: MetaMAPGExactLearnerSettings, *, game: MatrixGame, **task: Any) -> None:
        only_repeated_games(game, "meta_mapg_exact_learner computes values in closed form")
        super().__init__(settings, make_policies(game, "table"), game=game, **task)
        self.optimiser = Adam([*self.first.values(), self.rates], lr=settings.outer_lr)
        self.keep(optimiser=self.optimiser)

    @property
    def matches_per_chain(self) -> int:
        """As many as there are joint policies: each counts as one expected match."""
        return self.settings.chain_length + 1

    def update(self, peers: Params) -> Metrics:
        start, rates = self.start(peers), self.inner_rates(count(peers))
        values = ExactValues(self.game, self.settings.gamma, self.settings.dice_nodes)
        stages = list(unroll(values.stage, start, rates, differentiate=True, own=self.settings.own_learning))
        objective = torch.stack([stage.objective(0) for stage in stages[1:]]).sum(dim=0)  # [C]
        gradients = torch.autograd.grad(objective.mean(), [*start[0].values(), rates[0]])
        step_along(self.optimiser, -rows(gradients).sum(dim=0))
        self.updates += 1
        metrics = chain_metrics(self._scores(stages)) | {"meta_loss": -objective.mean().detach()}
        return metrics | {f"inner_lr_{place}": rate.clone() for place, rate in enumerate(self.rates)}

    def adapt(self, peers: Params, draws: torch.Generator) -> Adaptation:
        values = ExactValues(self.game, self.settings.gamma, "own")
        stages = list(
            unroll(values.stage, self.start(peers), self.inner_rates(count(peers)), differentiate=False)
        )
        with torch.no_grad():
            shares = [action_shares(self.game, stage.logits, self.steps) for stage in stages]
        return Adaptation(self._scores(stages), torch.stack(shares, dim=1))

    def _scores(self, stages: list[ExactStage]) -> Tensor:
        """Mean rewards per step, [C, L+1, N]."""
        with torch.no_grad():
            return torch.stack([mean_reward(self.game, stage.logits, self.steps) for stage in stages], dim=1)
