"""Looking ahead: the gradient of an update against the exact one, and against a plain one where peers stand still."""

import pytest
import torch

from cohort.chains.exact import ExactValues, discounted_value
from cohort.chains.sampled import SampledStage, Sampling
from cohort.chains.unroll import unroll
from cohort.learners.meta.lola_dice_learner import LookAheadStage
from cohort.modules.policies.table import TablePolicy
from tests.chains import oracles

PEER_RATE = 1.3


def look_ahead(chains: int, matches: int, looks: int, rate: float, inner_objective: str) -> LookAheadStage:
    game, policies = oracles.one_shot(), (TablePolicy(5, 2),) * 2
    params = oracles.constant_tables(chains)
    generator = torch.Generator().manual_seed(0)
    played, *imagined = torch.rand(looks + 2, chains, matches, 1, 2, dtype=torch.float64, generator=generator)
    plain = Sampling(game, policies, 0.9, "own", "dice", "none")
    ahead = Sampling(game, policies, 0.9, "all", inner_objective, "none")
    rates = torch.full((chains, looks), rate, dtype=torch.float64)
    return LookAheadStage(plain.stage(params, played), ahead, rates, imagined)


def gradient(stage: SampledStage) -> torch.Tensor:
    return torch.autograd.grad(stage.objective(0).sum(), stage.params[0]["logits"])[0][:, 0, 0]


@pytest.mark.parametrize("inner_objective", ["dice", "loaded"])
@pytest.mark.parametrize("looks", [1, 2])
def test_the_mean_over_many_matches_is_the_exact_gradient(looks, inner_objective):
    params = oracles.constant_tables()
    rates = [torch.full((1, looks), rate, dtype=torch.float64) for rate in (0.0, PEER_RATE)]
    *_, last = unroll(ExactValues(oracles.one_shot(), 0.0, "all").stage, params, rates, differentiate=True)
    value = discounted_value(oracles.one_shot(), last.logits, 0.0)[0, 0]
    exact = torch.autograd.grad(value, params[0]["logits"])[0][0, 0, 0].item()
    found = gradient(look_ahead(600, 256, looks, PEER_RATE, inner_objective))
    error = found.std().item() / 600**0.5
    assert error < 0.02
    assert found.mean().item() == pytest.approx(exact, abs=4 * error + 0.02)
    still = gradient(look_ahead(600, 256, looks, 0.0, inner_objective)).mean().item()
    assert abs(still - exact) > 0.1, "otherwise looking ahead could not be told from not looking"


def test_where_peers_stand_still_it_is_the_plain_gradient_of_the_last_matches():
    stage = look_ahead(4, 8, 3, 0.0, "dice")
    plain = stage.sampling.stage(stage.params, stage.imagined[-1])
    torch.testing.assert_close(gradient(stage), gradient(plain), atol=1e-13, rtol=1e-12)


def test_peers_of_the_real_chain_do_not_look_ahead():
    stage = look_ahead(2, 8, 1, PEER_RATE, "dice")
    plain = SampledStage(stage.sampling, stage.params, stage.matches)
    assert torch.equal(stage.objective(1), plain.objective(1))
