"""What the tests of chains share: one-shot games, small chains of played stages, and their gradients."""

from collections.abc import Sequence

import torch

from cohort.chains.matches import Matches
from cohort.chains.sampled import SampledStage, Sampling
from cohort.chains.unroll import unroll
from cohort.components.returns import discounted_returns
from cohort.envs.repeated_games import RepeatedGame, prisoners_dilemma
from cohort.learners.meta.meta_mapg_learner import meta_objective
from cohort.modules.policies.table import TablePolicy

# rows agent 0, columns agent 1
R0 = torch.tensor([[1, -2], [-1, 2]], dtype=torch.float64)
R1 = torch.tensor([[-1, 1.5], [0.5, -2]], dtype=torch.float64)
THETA = ((0.3, -0.2), (-0.4, 0.5))
RATES = (0.7, 1.3)

# the settings that make a method
METHODS = {
    "meta_mapg": {"nodes": "all", "peer": True, "own": True, "own_term": True},
    "meta_pg": {"nodes": "own", "peer": False, "own": True, "own_term": True},
    "meta_mapg_no_own": {"nodes": "all", "peer": True, "own": False, "own_term": False},
    "meta_mapg_own_constant": {"nodes": "all", "peer": True, "own": False, "own_term": True},
}


def one_shot() -> RepeatedGame:
    return RepeatedGame(torch.stack([R0.flatten(), R1.flatten()], dim=-1), ("a", "b"), ("a", "b"))


def double(game: RepeatedGame) -> RepeatedGame:
    return RepeatedGame(game.payoff.double(), game.actions, game.temperaments)


def constant_tables(chains: int = 1, n_states: int = 5) -> list[dict[str, torch.Tensor]]:
    """`THETA` in every state."""
    tables = (torch.tensor(each, dtype=torch.float64).expand(chains, n_states, 2).clone() for each in THETA)
    return [{"logits": each.requires_grad_()} for each in tables]


def tables(chains: int, seed: int = 0) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        {"logits": torch.randn(chains, 5, 2, dtype=torch.float64, generator=generator).requires_grad_()}
        for _ in range(2)
    ]


def constant_rates(chains: int, length: int, rates: Sequence[float] = RATES) -> list[torch.Tensor]:
    return [torch.full((chains, length), rate, dtype=torch.float64) for rate in rates]


def played_chain(
    method: str,
    params,
    rates,
    uniform: torch.Tensor,
    *,
    inner_objective: str = "dice",
    game: RepeatedGame | None = None,
    policies=None,
    baseline: str = "linear",
    gamma: float = 0.96,
) -> list[SampledStage]:
    """Differentiable stages; `uniform` is [C, L+1, K, T, N]."""
    how = METHODS[method]
    game = game or double(prisoners_dilemma())
    policies = policies or (TablePolicy(5, 2),) * 2
    sampling = Sampling(game, policies, gamma, how["nodes"], inner_objective, baseline)
    return list(
        unroll(
            lambda each, place: sampling.stage(each, uniform[:, place]),
            params,
            rates,
            differentiate=True,
            own=how["own"],
        )
    )


def objective_of(stages, method: str, terms: str = "all", entropy_weight: float = 0.0, advantages=None):
    """The outer objective; without a critic the advantages are the returns of agent 0."""
    how = METHODS[method]
    if advantages is None:
        advantages = [stage.returns[:, 0] for stage in stages[1:]]
    return meta_objective(
        stages, advantages, own=how["own_term"], peer=how["peer"], terms=terms, entropy_weight=entropy_weight
    )


def discounted_advantages(stages: Sequence[SampledStage], gamma: float) -> list[torch.Tensor]:
    """gamma^t R_t of agent 0, with which the surrogate's target is the discounted value itself."""
    powers = gamma ** torch.arange(stages[0].matches.states.shape[-1], dtype=torch.float64)
    return [powers * discounted_returns(stage.matches.reward[..., 0], gamma) for stage in stages[1:]]


def given_matches(outcomes: torch.Tensor) -> Matches:
    """One-shot matches with given joint outcomes a0 * 2 + a1: [C, K] int64."""
    actions = torch.stack([outcomes // 2, outcomes % 2], dim=-1).unsqueeze(2)
    return Matches(
        torch.zeros_like(outcomes).unsqueeze(-1), actions, one_shot().payoff[outcomes].unsqueeze(2)
    )
