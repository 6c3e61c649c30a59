"""Exploration by the policy's chances and, with a falling weight, equal chances for all that is available."""

import math

import torch
from torch import Tensor

from cohort.components.distributions import Categorical
from cohort.controllers.epsilon import EpsilonSelector


class EpsilonSampling(EpsilonSelector):
    """Each agent draws from (1 - epsilon) pi + epsilon uniform over the available actions (FACMAC, FOP, ADER, DOP)."""

    policy_kind = "action probabilities"

    def behaviour(self, decision: Categorical, t_env: int) -> Categorical:
        """The mixture, differentiable with respect to the logits. Its mode is the policy's."""
        epsilon = self.schedule.at(t_env)
        if epsilon == 0:
            return decision
        available = decision.available
        policy = decision.log_probs.masked_fill(~available, 0.0)  # no gradient may pass through -inf
        uniform = math.log(epsilon) - available.sum(dim=-1, keepdim=True).to(policy.dtype).log()
        own = math.log1p(-epsilon) if epsilon < 1 else -math.inf
        return Categorical(torch.logaddexp(policy + own, uniform), available)

    def select(self, decision: Categorical, t_env: int, generator: torch.Generator) -> Tensor:
        """[B, N, A] -> [B, N] int64."""
        return self.behaviour(decision, t_env).sample(generator)
