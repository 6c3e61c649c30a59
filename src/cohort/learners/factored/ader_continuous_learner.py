"""ADER for continuous actions: what is drawn from the policies stands in place of sums over actions."""

from typing import Any

import torch
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.transitions import Transitions
from cohort.learners.factored.ader_learner import ADERLearner, Moment


class ADERContinuousLearner(ADERLearner):
    """ADER for continuous actions, from whole episodes: V_i = Q_i(o_i, a_i) and H(pi_i) = -log pi_i(a_i).

    One action a_i is drawn for each agent and moment; gradients reach the policy through it (appendix C.2).
    """

    policy_kind = "action densities"
    critic_values = "action utilities"

    def __init__(self, settings: Any, **parts: Any) -> None:
        if settings.metric == "cr":
            raise ValueError("metric=cr needs the chances of discrete actions: metric=paper")
        super().__init__(settings, **parts)

    def has_choice(self, available_actions: Tensor) -> Tensor:
        """Always: [R, N, 0] -> [R, N]."""
        return torch.ones(available_actions.shape[:-1], dtype=torch.bool, device=available_actions.device)

    def drawn(self, decision: Any) -> tuple[Tensor, Tensor]:
        actions, log_prob = decision.sample_with_log_prob(self.generator)
        return actions, -log_prob

    def policy_utilities(self, value: nn.Module, moment: Moment) -> Tensor:
        """V_i = Q_i(o_i, a_i) of the actions that were drawn: [R, N]."""
        return value.utilities(moment.obs, moment.policy)

    def taken_utilities(self, value: nn.Module, obs: Tensor, actions: Tensor) -> Tensor:
        return value.utilities(obs, actions)


class ADERStepsLearner(ADERContinuousLearner):
    """The same from single steps: policies without a memory, one-step targets."""

    recurrent = False
    learns_from = "steps"

    def step(self, batch: Transitions) -> Metrics:
        return super().step(Episodes.of_single_steps(batch))
