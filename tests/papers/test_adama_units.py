"""Predator-prey's units: what the rule reads, and that the file has what was chosen."""

from math import sqrt

import pytest
import torch

from papers.adama.units import CHASE, REACHES, TIMES_RANDOM, UNITS, chasers, random_team, reward_per_step
from tests.envs.particles.support import arguments, make


def test_the_file_has_what_was_chosen() -> None:
    given = arguments("predator_prey")
    assert {key: given[key] for key in UNITS} == pytest.approx(UNITS)


def test_the_prey_is_faster_than_a_predator_in_every_direction() -> None:
    env = make("predator_prey", batch_size=64, wall_push=0.0, world_size=1000.0)
    before = env.reset()
    start = env.scene
    env.step(torch.ones(64, 4, 2))
    predators = torch.linalg.vector_norm(env.scene.agents - start.agents, dim=-1)
    prey = torch.linalg.vector_norm(env.scene.prey - start.prey, dim=-1)
    assert before is not None
    assert predators.max() == pytest.approx(UNITS["v_step"] * sqrt(2), rel=1e-3)
    assert prey.min() > predators.max()


def test_rho_is_the_least_with_which_a_chase_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 games: enough to tell 0.4 from 0.5."""
    monkeypatch.setattr("papers.adama.units.GAMES", 300)
    for reach in REACHES[:4]:
        random, chase = (reward_per_step(team, reach) for team in (random_team, chasers))
        assert (chase >= max(CHASE, TIMES_RANDOM * random)) == (reach == 0.5)
