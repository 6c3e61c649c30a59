"""Stages of a chain that are played: objectives and log-probabilities from K matches."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from cohort.chains.baseline import baseline_features, linear_baseline
from cohort.chains.dice import dice_objective, loaded_dice_objective
from cohort.chains.games import ChainGame
from cohort.chains.matches import Matches, Policies, play_matches
from cohort.chains.unroll import Nodes
from cohort.components.returns import discounted_returns
from cohort.modules.policies import Policy
from cohort.modules.policies.distributions import Distribution

InnerObjective = Literal["dice", "loaded"]
Baseline = Literal["linear", "none"]


@dataclass(frozen=True)
class Sampling:
    """How stages are played, and what their objectives are.

    Attributes:
        game: what is played.
        policies: how each agent's parameters become behaviour.
        gamma: the discount factor of the objectives.
        nodes: whether an agent's objective is a function of everybody's parameters or of its own alone.
        inner_objective: DiCE, or loaded DiCE with less variance in the second derivatives.
        baseline: the linear feature baseline, or none.
    """

    game: ChainGame
    policies: tuple[Policy, ...]
    gamma: float
    nodes: Nodes
    inner_objective: InnerObjective
    baseline: Baseline = "linear"

    def stage(self, params: Policies, chance: Tensor) -> "SampledStage":
        """Play it; `chance` [C, K, ...], drawn by the game, decides all that is random."""
        return SampledStage(self, params, play_matches(self.game, self.policies, params, chance))


class SampledStage:
    """K matches in each of C chains under one joint policy, as functions of that policy's parameters."""

    def __init__(self, sampling: Sampling, params: Policies, matches: Matches) -> None:
        self.sampling, self.params, self.matches = sampling, params, matches
        self._distributions: dict[int, Distribution] = {}

    def distribution(self, agent: int) -> Distribution:
        """Of the agent's actions in every step, [C, K, T]."""
        if agent not in self._distributions:
            policy, traces = self.sampling.policies[agent], self.matches.traces
            trace = traces[agent] if traces else None
            self._distributions[agent] = policy.distribution(self.params[agent], self.matches.states, trace)
        return self._distributions[agent]

    def log_prob(self, agent: int) -> Tensor:
        """Log-probability (or its density) of the actions that were taken, [C, K, T]."""
        return self.distribution(agent).log_prob(self.matches.actions[:, :, :, agent])

    def entropy(self, agent: int) -> Tensor:
        """Of the agent's policy in every step, [C, K, T]."""
        return self.distribution(agent).entropy()

    @cached_property
    def returns(self) -> Tensor:
        """Discounted, to the horizon: [C, N, K, T]."""
        return discounted_returns(self.matches.reward.permute(0, 3, 1, 2), self.sampling.gamma)

    @cached_property
    def baseline(self) -> Tensor:
        """Of every agent, fitted to these very matches: [C, N, K, T]."""
        if self.sampling.baseline == "none":
            return torch.zeros_like(self.returns)
        features = baseline_features(self.matches.states, self.sampling.game.n_inputs).flatten(1, 2)
        fitted = linear_baseline(features, self.returns.flatten(2).transpose(1, 2))  # [C, K T, N]
        return fitted.transpose(1, 2).view_as(self.returns)

    def objective(self, agent: int) -> Tensor:
        if self.sampling.nodes == "own":
            nodes = self.log_prob(agent)
        else:
            nodes = torch.stack([self.log_prob(each) for each in range(len(self.params))]).sum(dim=0)
        returns, baseline = self.returns[:, agent], self.baseline[:, agent]
        if self.sampling.inner_objective == "loaded":
            return loaded_dice_objective(nodes, returns, baseline, self.sampling.gamma)
        return dice_objective(nodes, self.matches.reward[..., agent], baseline, self.sampling.gamma)
