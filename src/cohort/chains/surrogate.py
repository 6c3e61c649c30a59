"""The outer objective: what is differentiated through the whole chain (Meta-MAPG, theorem 1)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from cohort.chains.sampled import SampledStage

OuterTerms = Literal["all", "last"]


def meta_objective(
    stages: Sequence[SampledStage],
    advantages: Sequence[Tensor],
    *,
    own: bool,
    peer: bool,
    terms: OuterTerms,
    entropy_weight: float,
) -> Tensor:
    """1/(L+1) [J_0 + J_1 + ... + J_L], whose gradient is equation 6 summed over the chain: [C].

    J_m = mean_k sum_t (log pi(a^0_t; phi^0_0) + sum_{l=1..m} log pi(a^0_t; phi^0_l)
                        + sum_{l=1..m} sum_{j>0} log pi(a^j_t; phi^j_l)) A_t

    are the current policy, own learning and peer learning; A is the advantage of agent 0 at stage m, [C, K, T], and J_0
    is the entropy of its first policy, weighted. With `terms` "all", as printed, log-probabilities of one match meet
    the advantages of another: for l < m they add nothing but noise to the expectation when updates are exact. "last"
    keeps l = m alone. There, without `own` the own term stays, for the chain has cut its updates off already.
    """
    current = stages[0].log_prob(0)
    total = entropy_weight * stages[0].entropy(0).sum(dim=-1).mean(dim=-1)
    for stage, advantage in zip(stages[1:], advantages, strict=True):
        score = _score(stage, own=own or terms == "last", peer=peer)
        current = current + score if terms == "all" else score
        total = total + (current * advantage).sum(dim=-1).mean(dim=-1)
    return total / len(stages)


def _score(stage: SampledStage, *, own: bool, peer: bool) -> Tensor:
    """The log-probabilities whose dependence on the first policy counts, [C, K, T]."""
    agents = range(0 if own else 1, len(stage.params) if peer else 1)
    scores = [stage.log_prob(agent) for agent in agents]
    return torch.stack(scores).sum(dim=0) if scores else torch.zeros_like(stage.matches.reward[..., 0])
