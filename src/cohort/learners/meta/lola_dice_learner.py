"""LOLA-DiCE: ascend what one gets after the peers have learned from it (Foerster et al. 2018, arXiv:1802.05098)."""

import torch
from pydantic import Field
from torch import Tensor

from cohort.chains.matches import Policies
from cohort.chains.sampled import SampledStage, Sampling
from cohort.chains.unroll import unroll
from cohort.learners.meta.meta_base import LookAheadSettings
from cohort.learners.meta.reinforce_learner import ReinforceLearner


class LOLADiCELearnerSettings(LookAheadSettings):
    look_aheads: int = Field(
        ge=1, description="updates of the peers that each of the agent's own looks ahead"
    )


class LOLADiCELearner(ReinforceLearner):
    """REINFORCE's persistent policy, whose updates go through imagined updates of its peers.

    Before each update the peers' parameters are copied and take `look_aheads` steps of their own on matches that are
    played with the copies; the agent ascends its return in matches with what they have become. It knows the peers'
    parameters, at meta-testing as well.

    Departs from the paper's baseline in: the linear feature baseline stands in for a value network.
    """

    Settings = LOLADiCELearnerSettings

    @property
    def matches_per_stage(self) -> int:
        return self.settings.trajectories * (self.settings.look_aheads + 2)

    def stage(self, params: Policies, chance: Tensor) -> "LookAheadStage":
        played, *imagined = chance.split(self.settings.trajectories, dim=1)
        sampling = self.sampling(nodes="all", inner_objective=self.settings.inner_objective)
        rate = torch.full((len(chance), self.settings.look_aheads), self.settings.peer_lr, device=self.device)
        return LookAheadStage(self.sampling().stage(params, played), sampling, rate, imagined)


class LookAheadStage(SampledStage):
    """A stage in which agent 0's objective is what it gets some updates of its peers later."""

    def __init__(
        self, played: SampledStage, sampling: Sampling, rate: Tensor, imagined: list[Tensor]
    ) -> None:
        """`sampling` plays the imagined matches, by [C, K, ...] each; `rate` [C, look-aheads] is the peers'."""
        super().__init__(played.sampling, played.params, played.matches)
        self.look_ahead, self.rate, self.imagined = sampling, rate, imagined

    def objective(self, agent: int) -> Tensor:
        if agent > 0:
            return super().objective(agent)
        *_, last = unroll(
            lambda params, place: self.look_ahead.stage(params, self.imagined[place]),
            self.params,
            [torch.zeros_like(self.rate), *[self.rate] * (len(self.params) - 1)],
            differentiate=True,
            own=False,
        )
        return last.objective(0)
