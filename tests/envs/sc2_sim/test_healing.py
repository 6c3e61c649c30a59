"""Medivacs: healing, energy, patients, flight."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import EAST, ENERGY, HEALTH

from .support import change, disarm_enemies, positions, skirmish, stop

HEAL = 6  # ally 0


def ward(monkeypatch, **options):
    """A marine (0) and a medivac (1), 4 m apart, far from two marines."""
    env = skirmish(monkeypatch, {"Marine": 1, "Medivac": 1}, {"Marine": 2}, **options)
    place = torch.tensor([[[5.0, 10], [9, 10], [27, 23], [28, 23]]])
    change(env, place.repeat(env.batch_size, 1, 1))
    disarm_enemies(env)
    return env


def heal(env):
    return env.step(torch.tensor([[1, HEAL]]))


def test_one_step_of_healing_and_its_price(monkeypatch):
    """9 health/s for a third of energy each, while energy returns at 0.5625/s."""
    env = ward(monkeypatch)
    change(env, health=torch.tensor([[20.0, 150, 45, 45]]))
    heal(env)
    units = env.games.units[:, 0]
    assert units[HEALTH, 0].item() == pytest.approx(24.5)
    assert units[ENERGY, 1].item() == pytest.approx(50 - 1.5 + 0.28125)
    assert units[ENERGY, 0] == 0
    assert torch.equal(
        positions(env)[0, 1], torch.tensor([9.0, 10])
    )  # within 4 + 0.75 + 0.375: no need to move


def test_energy_returns_up_to_200(monkeypatch):
    env = ward(monkeypatch)
    env.step(stop(env))
    assert env.games.units[ENERGY, 0, 1].item() == pytest.approx(50.28125)
    change(env, energy=torch.tensor([[0, 199.9, 0, 0]]))
    env.step(stop(env))
    assert env.games.units[ENERGY, 0, 1] == 200


def test_nobody_is_healed_beyond_full_health_and_that_costs_no_more(monkeypatch):
    env = ward(monkeypatch)
    change(env, health=torch.tensor([[44.0, 150, 45, 45]]))
    heal(env)
    assert env.games.units[HEALTH, 0, 0] == 45
    assert env.games.units[ENERGY, 0, 1].item() == pytest.approx(50 - 1 / 3 + 0.28125)
    heal(env)
    assert env.games.units[ENERGY, 0, 1].item() == pytest.approx(50 - 1 / 3 + 2 * 0.28125)


def test_without_energy_only_what_returns_is_spent(monkeypatch):
    env = ward(monkeypatch)
    change(env, health=torch.tensor([[20.0, 150, 45, 45]]), energy=0.0)
    heal(env)
    assert env.games.units[HEALTH, 0, 0].item() == pytest.approx(20 + 3 * 0.28125 * 7 / 8)
    assert env.games.units[ENERGY, 0, 1].item() == pytest.approx(0.28125 / 8)


def test_the_medivac_flies_to_its_patient_over_everybody(monkeypatch):
    env = ward(monkeypatch, step_mul=1)
    place = torch.tensor([[[5.0, 10], [10.9, 10], [9, 10], [9.5, 10.1]]])
    change(env, place, health=torch.tensor([[20.0, 150, 45, 45]]))
    disarm_enemies(env)
    for _ in range(20):
        heal(env)
    assert env.games.units[HEALTH, 0, 0] > 20
    distance = (positions(env)[0, 0] - positions(env)[0, 1]).norm().item()
    assert 5.125 - 2.75 / 16 < distance <= 5.125
    assert positions(env)[0, 1, 1] == 10  # nobody pushed it aside


def test_medivacs_fly_beyond_the_walls(monkeypatch):
    env = ward(monkeypatch)
    change(env, torch.tensor([[[5.0, 10], [29.5, 10], [9, 10], [9.5, 10.1]]]))
    assert not env.observation.available_actions[0, 1, EAST]  # though SMAC does not offer it
    env.battle.collision.push = lambda position: position + torch.tensor([[[9.0]], [[0.0]]])
    env.step(stop(env))
    assert positions(env)[0, :, 0].amax() < 32
    assert positions(env)[0, 1, 0] > 31
    assert positions(env)[0, 0, 0] < 30


def clinic(monkeypatch):
    """An enemy medivac (last) among hurt marines and a marauder; the team is one marine far away."""
    env = skirmish(monkeypatch, {"Marine": 1}, {"Marine": 3, "Marauder": 1, "Medivac": 1})
    place = torch.tensor([[[28.0, 24], [10, 16], [12, 18], [20, 16], [12, 14], [14, 16]]])
    return env, place


def test_an_enemy_medivac_heals_the_weakest_of_the_hurt_nearby(monkeypatch):
    env, place = clinic(monkeypatch)
    health = torch.tensor([[45.0, 30, 20, 5, 25, 150]])  # unit 3 is the weakest, but out of sight
    place[0, 3, 0] = 21.5
    change(env, place, health=health)
    env.step(stop(env))
    gain = env.games.units[HEALTH, 0] - health[0]
    assert gain[2].item() == pytest.approx(4.5)
    assert gain.abs().sum().item() == pytest.approx(4.5)
    assert (env.games.enemy_target == -1).all()  # patients are nobody's enemies


def test_an_enemy_medivac_without_patients_follows_at_the_armys_speed(monkeypatch):
    env, place = clinic(monkeypatch)
    change(env, place)
    env.step(stop(env))
    assert (place - positions(env))[0, 5, 0].item() == pytest.approx(2.25 / 2)


def test_an_enemy_medivac_hurries_to_its_patient(monkeypatch):
    env, place = clinic(monkeypatch)
    place[0, 1:5], place[0, 5] = torch.tensor([4.0, 16]), torch.tensor([15.0, 16])
    place[0, 1] = torch.tensor([9.0, 16])  # at the goal, where it stands
    change(env, place, health=torch.tensor([[45.0, 30, 45, 45, 125, 150]]))
    env.battle.ticks = 4
    env.step(stop(env))
    assert (place - positions(env))[0, 5, 0].item() == pytest.approx(4 * 2.5 / 16)
