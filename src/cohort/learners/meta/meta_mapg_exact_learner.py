"""Meta-MAPG without sampling: a tabular first policy, exact values, exact inner updates."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.exact import ExactPlay, ExactStage, action_shares, mean_reward
from cohort.chains.games import ChainGame
from cohort.chains.unroll import Nodes, unroll
from cohort.components.averages import Metrics
from cohort.components.seeding import generator
from cohort.components.state import load_optimiser
from cohort.learners.meta.meta_base import (
    Adaptation,
    ChainLearner,
    ChainSettings,
    chain_metrics,
    count,
    only_repeated_games,
)
from cohort.modules.policies import Params
from cohort.modules.policies.table import TablePolicy


class MetaMAPGExactLearnerSettings(ChainSettings):
    own_learning: bool = Field(description="the agent's own updates are differentiated (own learning)")
    dice_nodes: Nodes = Field(
        description="peers' objectives know the agent's parameters (all: Meta-MAPG), or do not (own: Meta-PG)"
    )
    outer_lr: float = Field(gt=0, description="Adam's rate for the first policy and the inner step sizes")


class MetaMAPGExactLearner(ChainLearner):
    """Meta-MAPG's equations 2 and 4 as they stand, with values of matches without end in closed form.

    Ascends sum_{l=1..L} V^0(phi_l) of peers' first policies by Adam; what sampling, critic and advantages stand for in
    `MetaMAPGLearner` is exact here. Scores are expected rewards per step over a match.
    """

    Settings = MetaMAPGExactLearnerSettings

    def __init__(
        self,
        settings: MetaMAPGExactLearnerSettings,
        *,
        game: ChainGame,
        steps: int,
        device: torch.device,
        seed: int,
    ) -> None:
        only_repeated_games(game, "meta_mapg_exact_learner computes values in closed form")
        super().__init__(settings, game=game, steps=steps, device=device)
        fresh = TablePolicy(game.n_states, game.n_actions).initial(generator(seed, "networks"))
        self.first = {name: each.to(device) for name, each in fresh.items()}
        self.optimiser = torch.optim.Adam([*self.first.values(), self.rates], lr=settings.outer_lr)

    @property
    def matches_per_chain(self) -> int:
        """As many as there are joint policies: each counts as one expected match."""
        return self.settings.chain_length + 1

    def update(self, peers: Params) -> Metrics:
        start, rates = self.start(peers), self.inner_rates(count(peers))
        play = ExactPlay(self.game, self.settings.gamma, self.settings.dice_nodes)
        stages = unroll(play, start, rates, differentiate=True, own=self.settings.own_learning)
        objective = torch.stack([stage.objective(0) for stage in stages[1:]]).sum(dim=0)  # [C]
        gradients = torch.autograd.grad(objective.mean(), [*start[0].values(), rates[0]])
        for parameter, gradient in zip([*self.first.values(), self.rates], gradients, strict=True):
            parameter.grad = -gradient.sum(dim=0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.updates += 1
        metrics = chain_metrics(self._scores(stages)) | {"meta_loss": -objective.mean().detach()}
        return metrics | {f"inner_lr_{place}": rate.clone() for place, rate in enumerate(self.rates)}

    def adapt(self, peers: Params, draws: torch.Generator) -> Adaptation:
        play = ExactPlay(self.game, self.settings.gamma, "own")
        stages = unroll(play, self.start(peers), self.inner_rates(count(peers)), differentiate=False)
        with torch.no_grad():
            shares = [action_shares(self.game, stage.logits, self.steps) for stage in stages]
        return Adaptation(self._scores(stages), torch.stack(shares, dim=1))

    def _scores(self, stages: list[ExactStage]) -> Tensor:
        """Mean rewards per step, [C, L+1, N]."""
        with torch.no_grad():
            return torch.stack([mean_reward(self.game, stage.logits, self.steps) for stage in stages], dim=1)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        load_optimiser(self.optimiser, state["optimiser"])
