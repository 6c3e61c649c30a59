"""How much it takes to kill: shields, armour, hits, recovery, time between shots."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import COOLDOWN, HEALTH, SHIELD

from .support import FOREVER, attack, change, disarm_enemies, duel, facing, stop

# Attacks needed by hand: shields first, then armour per hit.
ATTACKS = [
    ("Marine", "Marine", 8),
    ("Marine", "Zealot", 29),
    ("Marine", "Medivac", 30),
    ("Marauder", "Marine", 5),
    ("Marauder", "Marauder", 7),
    ("Stalker", "Zealot", 13),
    ("Stalker", "Stalker", 10),
    ("Stalker", "SpineCrawler", 19),
    ("Zealot", "Stalker", 11),
    ("Zealot", "Zealot", 11),
    ("Zealot", "Hydralisk", 5),
    ("Zealot", "Zergling", 3),
    ("Zealot", "Marine", 3),
    ("Hydralisk", "Zealot", 14),
    ("Zergling", "Zealot", 35),
    ("Zergling", "Colossus", 80),
    ("Colossus", "Zergling", 2),
    ("Colossus", "Zealot", 6),
    ("Baneling", "Zealot", 5),
    ("Baneling", "Zergling", 1),
    ("SpineCrawler", "Stalker", 6),
]


@pytest.mark.parametrize(("shooter", "target", "attacks"), ATTACKS)
def test_attacks_to_kill(monkeypatch, shooter, target, attacks):
    """The shooter is made whole and ready before each step, so that it attacks once per step."""
    env = duel(monkeypatch, shooter, target)
    env.battle.regeneration = None
    full = env.games.units[HEALTH, 0, 0].item()
    shots = 0
    while env.games.units[HEALTH, 0, 1] > 0 and shots < 100:
        health, cooldown = env.games.units[HEALTH].clone(), torch.tensor([[0.0, FOREVER]])
        health[0, 0] = full
        change(env, facing(env, 1.0), health=health, cooldown=cooldown, terminated=torch.tensor([False]))
        env.step(attack(env, 0))
        shots += 1
    assert shots == attacks


def test_one_zealot_attack_goes_through_shield_and_armour_hit_by_hit(monkeypatch):
    """8 x 2 on 10 shield, armour 1: 6 of the damage reach the body in one hit, less one armour."""
    env = duel(monkeypatch, "Zealot", "Stalker")
    change(env, facing(env, 1.0), shield=torch.tensor([[50.0, 10.0]]))
    disarm_enemies(env)
    env.step(attack(env, 0))
    assert env.games.units[SHIELD, 0, 1] == 0
    assert env.games.units[HEALTH, 0, 1] == 80 - (6 - 1)


def test_armour_never_takes_all(monkeypatch):
    """With 15.5 of 16 absorbed one hit of 0.5 arrives: armour 1 would leave nothing, half a point remains."""
    env = duel(monkeypatch, "Zealot", "Stalker")
    change(env, facing(env, 1.0), shield=torch.tensor([[50.0, 15.5]]))
    disarm_enemies(env)
    env.step(attack(env, 0))
    assert env.games.units[HEALTH, 0, 1] == 80 - 0.5


@pytest.mark.parametrize(
    ("unit", "cooldown", "damage"),
    [
        ("Marine", 0.8608, 6),
        ("Stalker", 1.87, 13),
        ("Zealot", 1.2, 16),
        ("Marauder", 1.5, 10),
        ("Hydralisk", 0.825, 12),
        ("Zergling", 0.696, 5),
        ("Colossus", 1.5, 30),
    ],
)
def test_mean_time_between_shots(monkeypatch, unit, cooldown, damage):
    env = duel(monkeypatch, unit, "Marine", batch_size=64)
    env.battle.regeneration, steps = None, 400
    change(env, facing(env, 0.8), health=torch.tensor([[45.0, FOREVER]]))
    disarm_enemies(env)
    for _ in range(steps):
        env.step(attack(env, 0))
    shots = (FOREVER - env.games.units[HEALTH, :, 1]) / damage
    seconds = (steps * 0.5 / shots).mean().item()
    # The first shot falls at time 0, so a window holds half an interval's worth of shots too many.
    assert seconds == pytest.approx((cooldown + 1 / 32) * (1 - cooldown / 2 / 200), rel=0.004)
    assert shots.std() > 0  # the jitter


def test_no_jitter_means_equal_intervals(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine", batch_size=16, weapon_jitter=False)
    change(env, facing(env, 1.0), health=FOREVER)
    for _ in range(50):
        env.step(attack(env, 0))
    assert len(env.games.units[HEALTH].unique()) == 1


def test_shields_recover_ten_seconds_after_the_last_hit(monkeypatch):
    env = duel(monkeypatch, "Stalker", "Marine")
    change(env, facing(env, 5.0))
    env.step(stop(env))  # the marine fires in the first tick
    assert env.games.units[SHIELD, 0, 0] == 74
    shields = []
    disarm_enemies(env)
    for _ in range(22):
        env.step(stop(env))
        shields.append(env.games.units[SHIELD, 0, 0].item())
    assert shields == [74.0] * 19 + [75.0, 76.0, 77.0]
    change(env, shield=79.5)
    disarm_enemies(env)
    env.step(stop(env))
    assert env.games.units[SHIELD, 0, 0] == 80


@pytest.mark.parametrize("unit", ["Zergling", "Baneling", "Hydralisk", "SpineCrawler", "Marine"])
def test_zerg_recover_and_nobody_else_does(monkeypatch, unit):
    env = duel(monkeypatch, "Marine", unit)
    change(env, health=torch.tensor([[45.0, 10.0]]))
    disarm_enemies(env)
    for _ in range(20):
        env.step(stop(env))
    gained = env.games.units[HEALTH, 0, 1].item() - 10
    assert gained == pytest.approx(0 if unit == "Marine" else 0.2734 * 10, rel=1e-3)
    full = env.battle.constants.health[1].item()
    change(env, health=torch.tensor([[45.0, full - 0.01]]))
    env.step(stop(env))
    assert env.games.units[HEALTH, 0, 1] == full or unit == "Marine"


def test_the_dead_do_not_recover(monkeypatch):
    env = duel(monkeypatch, "Marine", "Zergling")
    change(env, facing(env, 3.0), health=torch.tensor([[45.0, 5.9]]))
    env.step(attack(env, 0))
    assert env.games.units[HEALTH, 0, 1] == 0


def test_shots_are_simultaneous(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine")
    change(env, facing(env, 4.0), health=3.0)
    transition = env.step(attack(env, 0))
    assert transition.info["dead_allies"].tolist() == transition.info["dead_enemies"].tolist() == [1]
    assert env.games.units[COOLDOWN, 0].gt(0).all()
