"""Chains of Gaussian policies: the meta-gradient against a closed form, and against the plain unrolled graph."""

import pytest
import torch

from benchmarks.per_step_lstm import PerStepGaussianPolicy
from cohort.chains.sampled import Sampling
from cohort.chains.unroll import unroll
from cohort.learners.meta.lola_dice_learner import LookAheadStage
from cohort.modules.policies.lstm import GaussianLSTMPolicy
from tests.chains import oracles
from tests.chains.pushes import Pushes

MEANS, RATES = (0.4, -0.7), (0.3, 0.8)


def bilinear(mine: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """V^0 = m0 m1 + 0.5 m1 and V^1 = -m0 m1 - 0.3 (m1^2 + s1^2) of two means and a deviation."""
    return mine * other + 0.5 * other, -mine * other - 0.3 * other**2


def constant_policies(chains: int) -> list[dict[str, torch.Tensor]]:
    """Recurrent policies whose weights are all zero: the bias of the last layer is their mean."""
    policy, found = GaussianLSTMPolicy(2, 1, 2), []
    for mean in MEANS:
        params = {
            name: torch.zeros(chains, *shape, dtype=torch.float64) for name, shape in policy.shapes.items()
        }
        params["b_out"] += mean
        params["log_std"] -= 0.5
        found.append({name: each.requires_grad_() for name, each in params.items()})
    return found


def exact(method: str) -> float:
    """d V^0 / d m0 after one update of both means."""
    (m0, m1), (rate, peer_rate) = MEANS, RATES
    after0, after1 = m0 + rate * m1, m1 + peer_rate * (-m0 - 0.6 * m1)
    return after1 + (after0 + 0.5) * (-peer_rate if method == "meta_mapg" else 0.0)


@pytest.mark.parametrize("terms", ["all", "last"])
@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
@pytest.mark.parametrize("method", ["meta_mapg", "meta_pg"])
def test_with_many_matches_the_estimators_mean_is_the_exact_gradient(method, inner_objective, terms):
    """One step, one update: within five standard errors and the bias of K = 256, where the methods are 0.55 apart."""
    assert abs(exact("meta_mapg") - exact("meta_pg")) > 0.5
    chains, matches = 600, 256
    game, params = Pushes(bilinear), constant_policies(chains)
    chance = game.chance((chains, 2, matches), 1, torch.Generator().manual_seed(0))
    stages = oracles.played_chain(
        method,
        params,
        oracles.constant_rates(chains, 1, RATES),
        chance,
        inner_objective=inner_objective,
        game=game,
        policies=(GaussianLSTMPolicy(2, 1, 2),) * 2,
        baseline="none",
    )
    objective = 2 * oracles.objective_of(stages, method, terms)
    (gradient,) = torch.autograd.grad(objective.sum(), params[0]["b_out"])
    error = gradient.std().item() / chains**0.5
    assert error < 0.02
    assert gradient.mean().item() == pytest.approx(exact(method), abs=5 * error + 0.02)


def random_policies(kind, chains: int, hidden: tuple[int, int]) -> tuple[tuple, list]:
    generator = torch.Generator().manual_seed(4)
    policies, params = [], []
    for size in hidden:
        policy = kind(2, 1, size)
        sets = [policy.initial(generator) for _ in range(chains)]
        params.append(
            {name: torch.stack([each[name] for each in sets]).double().requires_grad_() for name in sets[0]}
        )
        policies.append(policy)
    return tuple(policies), params


@pytest.mark.parametrize("terms", ["all", "last"])
@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
@pytest.mark.parametrize("method", ["meta_mapg", "meta_pg", "meta_mapg_no_own", "meta_mapg_own_constant"])
def test_derivatives_by_hand_equal_the_unrolled_graph(method, inner_objective, terms):
    """Recurrent peers of another size than the agent, 3 chains, K = 4, T = 7, L = 2, linear baseline."""
    found, game = [], Pushes(bilinear)
    chance = game.chance((3, 3, 4), 7, torch.Generator().manual_seed(1))
    for kind in (GaussianLSTMPolicy, PerStepGaussianPolicy):
        policies, params = random_policies(kind, 3, (6, 4))
        rates = oracles.constant_rates(3, 2, (0.05, 0.05))
        rates[0].requires_grad_()
        stages = oracles.played_chain(
            method, params, rates, chance, inner_objective=inner_objective, game=game, policies=policies
        )
        assert stages[0].matches.actions.shape == (3, 4, 7, 2, 1)
        objective = oracles.objective_of(stages, method, terms, entropy_weight=0.5)
        found.append(torch.autograd.grad(objective.sum(), [*params[0].values(), rates[0]], allow_unused=True))
    for ours, plain in zip(*found, strict=True):
        assert (ours is None) == (plain is None)
        if ours is not None:
            torch.testing.assert_close(ours, plain, atol=1e-11, rtol=1e-8)
    assert found[0][-1].abs().max() > 0


def test_meta_mapg_is_meta_pg_when_peers_do_not_learn():
    game, found = Pushes(bilinear), []
    chance = game.chance((2, 3, 5), 6, torch.Generator().manual_seed(1))
    for peer_rate in (0.0, 0.1):
        for method in ("meta_mapg", "meta_pg"):
            policies, params = random_policies(GaussianLSTMPolicy, 2, (4, 4))
            rates = oracles.constant_rates(2, 2, (0.05, peer_rate))
            stages = oracles.played_chain(method, params, rates, chance, game=game, policies=policies)
            objective = oracles.objective_of(stages, method)
            found.append(torch.autograd.grad(objective.sum(), params[0]["w_hh"])[0])
    torch.testing.assert_close(found[0], found[1], atol=1e-13, rtol=1e-11)
    assert (found[2] - found[3]).abs().max() > 1e-4


@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
def test_looking_ahead_goes_through_recurrent_peers(inner_objective):
    """d/dm0 of V^0(m0, m1 + rate dV^1/dm1) = m1' - rate (m0 + 0.5), in the mean over many matches."""
    chains, matches, rate = 600, 256, RATES[1]
    game, params = Pushes(bilinear), constant_policies(chains)
    played, *imagined = game.chance((3, chains, matches), 1, torch.Generator().manual_seed(0))
    policies = (GaussianLSTMPolicy(2, 1, 2),) * 2
    plain = Sampling(game, policies, 0.9, "own", "dice", "none")
    ahead = Sampling(game, policies, 0.9, "all", inner_objective, "none")
    rates = torch.full((chains, 1), rate, dtype=torch.float64)
    stage = LookAheadStage(plain.stage(params, played), ahead, rates, imagined)
    (gradient,) = torch.autograd.grad(stage.objective(0).sum(), params[0]["b_out"])
    m0, m1 = MEANS
    expected = m1 + rate * (-m0 - 0.6 * m1) - rate * (m0 + 0.5)
    error = gradient.std().item() / chains**0.5
    assert error < 0.02
    assert gradient.mean().item() == pytest.approx(expected, abs=5 * error + 0.02)


def test_without_a_graph_the_chain_is_the_same():
    game, (policies, params) = Pushes(bilinear), random_policies(GaussianLSTMPolicy, 2, (4, 3))
    chance = game.chance((2, 3, 4), 6, torch.Generator().manual_seed(1))
    rates = oracles.constant_rates(2, 2, (0.1, 0.1))
    kept = oracles.played_chain("meta_mapg", params, rates, chance, game=game, policies=policies)
    sampling = Sampling(game, policies, 0.96, "own", "dice")
    plain = unroll(
        lambda each, place: sampling.stage(each, chance[:, place]), params, rates, differentiate=False
    )
    for one, other in zip(kept, plain, strict=True):
        torch.testing.assert_close(one.matches.states, other.matches.states, atol=1e-11, rtol=1e-9)
        assert not other.matches.score.requires_grad
