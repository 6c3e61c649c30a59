"""Damage points: when a shot leaves the weapon, and when it never does."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import COOLDOWN, EAST, FIRST_ATTACK, HEALTH, WEST

from .support import FOREVER, attack, change, disarm_enemies, duel, facing, insist, positions, skirmish


def ready(monkeypatch, unit: str, metres: float, **options):
    """One unit facing a marine that does nothing, one tick a step."""
    env = duel(monkeypatch, unit, "Marine", step_mul=1, weapon_jitter=False, **options)
    env.battle.constants.stride[1] = 0.0
    env.battle.regeneration = None
    change(env, facing(env, metres), health=FOREVER)
    disarm_enemies(env)
    return env


def shot(env) -> bool:
    """Whether the unit has fired in the last tick."""
    return env.games.units[COOLDOWN, 0, 0] > 1


@pytest.mark.parametrize(
    ("unit", "ticks"), [("Stalker", 3), ("Hydralisk", 3), ("Zergling", 3), ("Marauder", 0)]
)
def test_a_shot_leaves_after_the_damage_point(monkeypatch, unit, ticks):
    """0.167 s are 2.7 ticks, 0.208 s are 3.3; the marauder's is 0."""
    env = ready(monkeypatch, unit, 0.8)
    waited = 0
    while not shot(env) and waited < 20:
        env.step(attack(env, 0))
        waited += 1
    assert waited - 1 == ticks


def test_a_shot_is_lost_when_the_unit_is_ordered_away_and_costs_nothing(monkeypatch):
    env = ready(monkeypatch, "Stalker", 5.0)
    for _ in range(10):
        env.step(attack(env, 0))
        env.step(attack(env, 0))
        env.step(torch.tensor([[WEST]]))
        env.step(torch.tensor([[EAST]]))
        assert not shot(env)
    for _ in range(4):
        env.step(attack(env, 0))
    assert shot(env)


def test_another_target_means_another_aim(monkeypatch):
    env = skirmish(monkeypatch, {"Stalker": 1}, {"Marine": 2}, step_mul=1)
    env.battle.constants.stride[1:] = 0.0
    change(env, torch.tensor([[[12.0, 16], [16, 16], [16, 17]]]))
    disarm_enemies(env)
    for tick in range(12):
        env.step(torch.tensor([[FIRST_ATTACK + tick // 2 % 2]]))
        assert not shot(env)


@pytest.mark.parametrize(("metres", "fires"), [(6.9, True), (8.1, False)])
def test_an_aim_survives_until_its_target_leaves_the_slop(monkeypatch, metres, fires):
    """A stalker's range to a marine is 6 + 0.625 + 0.375 = 7 m from centre to centre, and 1 m more once it aims."""
    env = ready(monkeypatch, "Stalker", 6.9)
    insist(env)
    insist(env)
    change(env, facing(env, metres))
    place = positions(env)[0, 0]
    insist(env)
    insist(env)
    assert shot(env).item() == fires
    assert torch.equal(positions(env)[0, 0], place) == fires  # or it follows


def test_nobody_begins_to_aim_within_the_slop(monkeypatch):
    env = ready(monkeypatch, "Stalker", 7.9)
    env.battle.constants.stride.zero_()
    for _ in range(6):
        insist(env)
    assert not shot(env)


def test_an_aim_goes_on_from_step_to_step(monkeypatch):
    """Whole steps of 8 ticks and single ticks tell the same story."""
    whole, ticks = (duel(monkeypatch, "Stalker", "Marine", step_mul=n, weapon_jitter=False) for n in (8, 1))
    for env in (whole, ticks):
        change(env, facing(env, 8.0), health=FOREVER)
        disarm_enemies(env)
    for _ in range(6):
        insist(whole)
        for _ in range(8):
            insist(ticks)
        torch.testing.assert_close(whole.games.units[HEALTH], ticks.games.units[HEALTH])
        torch.testing.assert_close(whole.games.units[COOLDOWN, 0, 0], ticks.games.units[COOLDOWN, 0, 0])
