"""Guessing the peers' policies: fits, and chains that do not know what they only guess."""

import pytest
import torch

from cohort.chains.modelled import Likelihood, ModelledPeers
from cohort.chains.sampled import Sampling
from cohort.chains.unroll import unroll
from cohort.envs.repeated_games import prisoners_dilemma
from cohort.modules.policies.table import TablePolicy
from tests.chains import oracles

FIT = Likelihood(rate=5.0, steps=200, tolerance=1e-4)


def test_a_fit_finds_the_frequencies_of_visited_states_and_leaves_the_others():
    generator = torch.Generator().manual_seed(0)
    states = torch.randint(0, 4, (2, 64, 150), generator=generator)
    chance = torch.rand(2, 5, dtype=torch.float64, generator=generator)
    draws = torch.rand(2, 64, 150, dtype=torch.float64, generator=generator)
    actions = (draws < chance.gather(1, states.flatten(1)).view_as(draws)).long()
    first = torch.zeros(2, 5, 2, dtype=torch.float64)
    fitted = FIT.fit(first, states, actions)
    found = fitted.softmax(-1)[..., 1]
    for chain in range(2):
        for state in range(4):
            frequency = actions[chain][states[chain] == state].double().mean()
            assert found[chain, state].item() == pytest.approx(frequency.item(), abs=0.01)
    assert torch.equal(fitted[:, 4], first[:, 4])


def test_a_fit_that_is_flat_stays_where_it_is():
    states, actions = torch.zeros(1, 1, 2, dtype=torch.int64), torch.tensor([[[0, 1]]])
    first = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(0)).sort(dim=-1).values
    first[:, 0] = 0.3
    assert torch.equal(FIT.fit(first, states, actions), first)


def chain(peer_rate: float, method: str = "modelled"):
    """The stages and the gradient of agent 0's first policy, with the same draws for every method."""
    params = oracles.tables(2)
    rates = oracles.constant_rates(2, 3, (0.5, peer_rate))
    uniform = torch.rand(2, 4, 8, 10, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    if method == "modelled":
        sampling = Sampling(
            oracles.double(prisoners_dilemma()), (TablePolicy(5, 2),) * 2, 0.96, "all", "dice"
        )
        peers = ModelledPeers(sampling, params[1:], rates[1:], FIT, uniform)
        guess = {"logits": torch.zeros(2, 5, 2, dtype=torch.float64, requires_grad=True)}
        stages = list(unroll(peers.stage, [params[0], guess], rates, differentiate=True))
    else:
        stages = oracles.played_chain(method, params, rates, uniform)
    objective = oracles.objective_of(stages, "meta_pg" if method == "meta_pg" else "meta_mapg", "last")
    return stages, torch.autograd.grad(objective.sum(), params[0]["logits"])[0]


def test_what_is_played_is_what_the_true_peers_play_and_learn():
    """How agent 0 updates does not depend on its guesses, so the matches are those of Meta-MAPG."""
    for ours, told in zip(chain(1.0)[0], chain(1.0, "meta_mapg")[0], strict=True):
        assert torch.equal(ours.matches.states, told.matches.states)
        torch.testing.assert_close(ours.params[0]["logits"], told.params[0]["logits"], atol=1e-12, rtol=1e-12)
        assert not torch.equal(ours.params[1]["logits"], told.params[1]["logits"])


def test_guesses_carry_peer_learning_and_nothing_when_peers_stand_still():
    still = [chain(0.0, method)[1] for method in ("modelled", "meta_pg")]
    torch.testing.assert_close(*still, atol=1e-12, rtol=1e-12)
    learning = [chain(1.0, method)[1] for method in ("modelled", "meta_pg")]
    assert (learning[0] - learning[1]).abs().max() > 0.01


def test_the_guess_of_each_stage_is_close_to_what_the_peer_did():
    stages = chain(1.0)[0]
    for stage in stages:
        done, states = stage.matches.actions[..., 1], stage.matches.states
        guessed = stage.params[1]["logits"].softmax(-1)[..., 1]
        for row in range(2):
            for state in range(5):
                seen = states[row] == state
                if seen.sum() >= 15:
                    assert guessed[row, state].item() == pytest.approx(
                        done[row][seen].double().mean().item(), abs=0.06
                    )
