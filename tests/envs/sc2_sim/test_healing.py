"""Medivacs: healing, energy, patients, flight."""

import itertools

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
    """9 health/s for 0.33 energy each, while energy returns at 0.5625/s."""
    env = ward(monkeypatch)
    change(env, health=torch.tensor([[20.0, 150, 45, 45]]))
    heal(env)
    units = env.games.units[:, 0]
    assert units[HEALTH, 0].item() == pytest.approx(24.5)
    assert units[ENERGY, 1].item() == pytest.approx(50 - 4.5 * 0.33 + 0.28125)
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
    assert env.games.units[ENERGY, 0, 1].item() == pytest.approx(50 - 0.33 + 0.28125)
    heal(env)
    assert env.games.units[ENERGY, 0, 1].item() == pytest.approx(50 - 0.33 + 2 * 0.28125)


def test_without_energy_only_what_returns_is_spent(monkeypatch):
    env = ward(monkeypatch)
    change(env, health=torch.tensor([[20.0, 150, 45, 45]]), energy=0.0)
    heal(env)
    assert env.games.units[HEALTH, 0, 0].item() == pytest.approx(20 + 0.28125 * 7 / 8 / 0.33)
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
    env.battle.collision.push = lambda position, turned=True: position + torch.tensor([[[9.0]], [[0.0]]])
    env.step(stop(env))
    assert positions(env)[0, :, 0].amax() < 32
    assert positions(env)[0, 1, 0] > 31
    assert positions(env)[0, 0, 0] < 30


def clinic(monkeypatch):
    """An enemy medivac (last) among hurt marines and a marauder; the team is one marine far away."""
    env = skirmish(monkeypatch, {"Marine": 1}, {"Marine": 3, "Marauder": 1, "Medivac": 1})
    place = torch.tensor([[[28.0, 24], [10, 16], [12, 18], [20, 16], [12, 14], [14, 16]]])
    return env, place


def test_an_enemy_medivac_heals_whom_the_least_of_its_health_is_left(monkeypatch):
    """Game data, MedivacHeal: sorted by the fraction of life; 30 of 125 is less than 20 of 45."""
    env, place = clinic(monkeypatch)
    health = torch.tensor([[45.0, 30, 20, 5, 30, 150]])  # unit 3 is the weakest, but out of sight
    place[0, 3, 0] = 21.5
    change(env, place, health=health)
    env.step(stop(env))
    gain = env.games.units[HEALTH, 0] - health[0]
    assert gain[4].item() == pytest.approx(4.5)
    assert gain.abs().sum().item() == pytest.approx(4.5)
    hostile = env.games.target[:, env.spec.n_agents :]
    assert not ((hostile >= 0) & (hostile < env.spec.n_agents)).any()  # patients are nobody's enemies


def flown(ticks: int) -> float:
    """Metres by which a medivac comes from rest: it gains 2.3125 m/s every second up to 2.75 m/s."""
    return sum(min(2.3125 * tick / 16, 2.75) / 16 for tick in range(1, ticks + 1))


def test_medivacs_gather_speed_and_lose_it_when_they_stand(monkeypatch):
    env = ward(monkeypatch)
    distances = []
    for action in (EAST, EAST, EAST, EAST, 1, EAST):
        before = positions(env)[0, 1, 0].item()
        env.step(torch.tensor([[1, action]]))
        distances.append(positions(env)[0, 1, 0].item() - before)
    whole = [flown(8 * step) for step in range(5)]
    expected = [after - before for before, after in itertools.pairwise(whole)]
    assert distances[:4] == pytest.approx(expected, abs=1e-4)
    assert expected[3] == pytest.approx(2.75 / 2)
    assert distances[4:] == pytest.approx([0, expected[0]], abs=1e-4)


def test_an_enemy_medivac_without_patients_flies_to_the_goal(monkeypatch):
    env, place = clinic(monkeypatch)
    env.battle.march.places.zero_()
    change(env, place)
    env.step(stop(env))
    assert (place - positions(env))[0, 5, 0].item() == pytest.approx(flown(8), abs=1e-4)


def test_an_enemy_medivac_flies_to_its_patient(monkeypatch):
    env, place = clinic(monkeypatch)
    env.battle.march.places.zero_()
    place[0, 1:5], place[0, 5] = torch.tensor([4.0, 16]), torch.tensor([15.0, 16])
    place[0, 1] = torch.tensor([9.1, 16])
    place[0, 5, 1] = 15.0
    change(env, place, health=torch.tensor([[45.0, 30, 45, 45, 125, 150]]))
    env.battle.constants.stride[1:5] = 0.0
    env.step(stop(env))
    way = positions(env)[0, 5] - place[0, 5]
    assert way.norm().item() == pytest.approx(flown(8), abs=1e-4)
    assert (way[1] / way[0]).item() == pytest.approx(-1 / 5.9, abs=1e-3)  # straight to unit 1
