"""Populations of peers: sizes, ranges, splits, seeds."""

import pytest
import torch

from cohort.envs.repeated_games import prisoners_dilemma, rock_paper_scissors
from cohort.learners.meta.personas import SPLITS, draw_population

GAMES = {"ipd": prisoners_dilemma(), "rps": rock_paper_scissors(2), "rps4": rock_paper_scissors(4)}
SIZES = (200, 20, 20)


@pytest.mark.parametrize(("name", "counts"), [("ipd", (400, 40, 40)), ("rps", (600, 60, 60))])
def test_the_papers_splits_have_the_papers_sizes(name, counts):
    """480 personas of the prisoner's dilemma, 720 of rock-paper-scissors (appendix E.1, E.2)."""
    population = draw_population(GAMES[name], 1, SIZES)
    assert tuple(population) == SPLITS
    assert tuple(len(each) for each in population.values()) == counts
    for personas in population.values():
        assert len(set(personas.temperament.bincount().tolist())) == 1


@pytest.mark.parametrize("name", GAMES)
def test_the_preferred_action_is_uniform_above_its_share_and_the_rest_is_shared_equally(name):
    game = GAMES[name]
    personas = draw_population(game, 1, SIZES)["train"]
    probabilities = personas.logits.exp().double()
    assert probabilities.shape == (len(personas), game.n_states, game.n_actions)
    assert float((probabilities.sum(-1) - 1).abs().max()) < 1e-5
    preferred = probabilities.gather(-1, personas.temperament.view(-1, 1, 1).expand(-1, game.n_states, 1))
    least = 1 / game.n_actions
    assert float(preferred.min()) >= least - 1e-6
    assert float(preferred.max()) <= 1
    assert float(preferred.mean()) == pytest.approx((1 + least) / 2, abs=0.01)
    assert float(preferred.std()) == pytest.approx((1 - least) / 12**0.5, abs=0.01)
    others = probabilities.masked_fill(probabilities == preferred, float("nan"))
    spread = others.nan_to_num(-1).amax(-1) - others.nan_to_num(2).amin(-1)
    assert float(spread.max()) < 1e-6


def test_cooperating_personas_cooperate_and_defecting_ones_do_not():
    personas = draw_population(GAMES["ipd"], 3, SIZES)["test"]
    cooperates = personas.logits.exp()[..., 1]
    names = GAMES["ipd"].temperaments
    assert (cooperates[personas.temperament == names.index("cooperating")] >= 0.5).all()
    assert (cooperates[personas.temperament == names.index("defecting")] <= 0.5).all()


def test_a_seed_repeats_the_population_and_splits_are_drawn_apart():
    one, again, other = (draw_population(GAMES["ipd"], seed, (20, 20, 20)) for seed in (1, 1, 2))
    for split in SPLITS:
        assert torch.equal(one[split].logits, again[split].logits)
        assert not torch.equal(one[split].logits, other[split].logits)
    assert not torch.equal(one["train"].logits, one["test"].logits)


def test_out_of_distribution_the_test_is_beyond_the_boundary():
    population = draw_population(GAMES["ipd"], 1, SIZES, boundary=0.8)
    likes = {split: each.logits.exp().amax(-1) for split, each in population.items()}
    for split in ("train", "validation"):
        assert float(likes[split].max()) <= 0.8
        assert float(likes[split].min()) >= 0.5
    assert float(likes["test"].min()) >= 0.8 - 1e-6


def test_logits_are_never_infinite():
    assert torch.isfinite(draw_population(GAMES["ipd"], 1, (5000, 1, 1))["train"].logits).all()
