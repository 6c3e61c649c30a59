"""How much it takes to kill: shields, armour, hits, recovery, time between shots."""

import json
from importlib import resources

import pytest
import torch

from cohort.envs.sc2_sim.planes import COOLDOWN, HEALTH, SHIELD
from cohort.envs.sc2_sim.units import UNITS

from .support import FOREVER, attack, change, disarm_enemies, duel, facing, stop

# The game's data (Core and Liberty at build 75689): what the tests go by, whatever the catalogue makes of it.
DATA = json.loads(resources.files("cohort.envs.sc2_sim").joinpath("units.json").read_text())["units"]

# Attacks needed by hand, from that file: shields first, then armour per hit.
ATTACKS = [
    ("Marine", "Marine", 8),
    ("Marine", "Zealot", 29),
    ("Marine", "Medivac", 30),
    ("Marauder", "Marine", 5),
    ("Marauder", "Marauder", 7),
    ("Stalker", "Zealot", 17),
    ("Stalker", "Stalker", 12),
    ("Stalker", "SpineCrawler", 25),
    ("Zealot", "Stalker", 11),
    ("Zealot", "Zealot", 11),
    ("Zealot", "Hydralisk", 5),
    ("Zealot", "Zergling", 3),
    ("Zealot", "Marine", 3),
    ("Hydralisk", "Zealot", 14),
    ("Zergling", "Zealot", 35),
    ("Zergling", "Colossus", 80),
    ("Colossus", "Zergling", 1),
    ("Colossus", "Zealot", 4),
    ("Baneling", "Zealot", 5),
    ("Baneling", "Zergling", 1),
    ("SpineCrawler", "Stalker", 6),
]


def attacks_by_hand(shooter: str, target: str) -> int:
    """Hit by hit, with the data file's numbers."""
    weapon, body = DATA[shooter]["weapon"], DATA[target]
    damage = weapon["damage"] + weapon["bonus"] * (weapon["bonus_against"] in body["attributes"])
    health, shield, attacks = body["health"], body["shield"], 0
    while health > 0:
        attacks += 1
        for _ in range(weapon["hits"]):
            absorbed = min(shield, damage)
            shield -= absorbed
            health -= max(damage - absorbed - body["armour"], 0.5) if damage > absorbed else 0
    return attacks


@pytest.mark.parametrize(("shooter", "target", "attacks"), ATTACKS)
def test_attacks_to_kill(monkeypatch, shooter, target, attacks):
    """The shooter is made whole and ready every other step, when all of the last attack has arrived."""
    assert attacks_by_hand(shooter, target) == attacks
    env = duel(monkeypatch, shooter, target)
    env.battle.regeneration = None
    full, place = env.games.units[HEALTH, 0, 0].item(), facing(env, 1.6)
    shots = 0
    while env.games.units[HEALTH, 0, 1] > 0 and shots < 100:
        health = env.games.units[HEALTH].clone()
        health[0, 0] = full
        games = {"terminated": torch.tensor([False]), "t": torch.tensor([0])}
        change(env, place, health=health, cooldown=torch.tensor([[0.0, FOREVER]]), **games)
        env.step(attack(env, 0))
        change(env, place, cooldown=FOREVER)
        env.step(attack(env, 0))
        shots += 1
    assert shots == attacks


@pytest.mark.parametrize("name", sorted(DATA))
def test_the_catalogue_says_what_the_data_file_says(name):
    unit, entry = UNITS[name], DATA[name]
    assert (unit.health, unit.shield, unit.armour) == (entry["health"], entry["shield"], entry["armour"])
    assert (unit.speed, unit.radius, unit.separation) == (
        entry["speed"], entry["radius"], entry["separation_radius"]
    )  # fmt: skip
    assert unit.attributes == set(entry["attributes"])
    if "weapon" in entry:
        weapon = entry["weapon"]
        assert (unit.cooldown, unit.range, unit.slop) == (
            weapon["period_s"], weapon["range"], weapon["range_slop"]
        )  # fmt: skip
        assert (unit.damage_point, unit.backswing) == (weapon["damage_point_s"], weapon["backswing_s"])
        assert unit.missile_speed == weapon["missile_speed"] or name == "SpineCrawler"
    else:
        assert name == "Medivac"
        assert (unit.energy, unit.max_energy, unit.acceleration) == (50, 200, 2.3125)


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
    "unit", ["Marine", "Stalker", "Zealot", "Marauder", "Hydralisk", "Zergling", "Colossus"]
)
def test_mean_time_between_shots(monkeypatch, unit):
    """The period and the mean of the jitter, -1/16 to 2/16 s; aiming costs a standing shooter nothing."""
    env = duel(monkeypatch, unit, "Marine", batch_size=64)
    env.battle.regeneration, steps = None, 400
    change(env, facing(env, 0.8), health=torch.tensor([[45.0, FOREVER]]))
    disarm_enemies(env)
    for _ in range(40):  # apart from each other
        env.step(attack(env, 0))
    change(env, health=torch.tensor([[45.0, FOREVER]]))
    for _ in range(steps):
        env.step(attack(env, 0))
    weapon = DATA[unit]["weapon"]
    shots = (FOREVER - env.games.units[HEALTH, :, 1]) / (weapon["damage"] * weapon["hits"])
    seconds = steps * 0.5 / shots.mean().item()
    assert seconds == pytest.approx(weapon["period_s"] + 1 / 32, rel=0.004)
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
    env.step(stop(env))  # the marine fires in the second tick
    assert env.games.units[SHIELD, 0, 0] == 74
    shields = []
    disarm_enemies(env)
    for _ in range(22):
        env.step(stop(env))
        shields.append(env.games.units[SHIELD, 0, 0].item())
    assert shields == [74.0] * 19 + [74.875, 75.875, 76.875]
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
