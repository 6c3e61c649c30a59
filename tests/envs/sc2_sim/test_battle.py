"""The model of the battle: weapons, bodies, movement, targets, collisions."""

import numpy as np
import pytest
import torch

from src.envs.sc2_sim.battle import COOLDOWN, EAST, HEALTH, NORTH, SHIELD, SOUTH, WEST, acquire

from .scripts import random_script
from .selfplay import selfplay_env
from .support import PLAYABLE, attack, change, duel, make, positions, stop
from .test_observe import ground, is_walkable

FOREVER = 1e6  # health or cooldown that no test outlives


def facing(env, metres):
    """[B, U, 2]: all allies at (12, 16), all enemies `metres` east of them."""
    place = torch.full((env.batch_size, env.battle.n_units, 2), 16.0)
    place[:, : env.spec.n_agents, 0] = 12
    place[:, env.spec.n_agents :, 0] = 12 + metres
    return place


def disarm_enemies(env):
    cooldown = env.games.units[COOLDOWN].clone()
    cooldown[:, env.spec.n_agents :] = FOREVER
    change(env, cooldown=cooldown)


@pytest.mark.parametrize(
    ("shooter", "target", "attacks"),
    [
        ("Marine", "Marine", 8),
        ("Marine", "Zealot", 29),
        ("Stalker", "Zealot", 13),
        ("Stalker", "Stalker", 10),
        ("Zealot", "Stalker", 11),
        ("Zealot", "Zealot", 11),
        ("Zealot", "Marine", 3),
        ("Marauder", "Marine", 5),
        ("Marauder", "Marauder", 7),
        ("Zealot", "Zergling", 3),
        ("Zergling", "Zealot", 35),
        ("Hydralisk", "Zealot", 14),
    ],
)
def test_attacks_to_kill(monkeypatch, shooter, target, attacks):
    env = duel(monkeypatch, shooter, target)
    change(env, facing(env, 1.0))
    shots, done = 0, False
    while not done:
        disarm_enemies(env)
        before = env.games.units[COOLDOWN, 0, 0].item()
        done = env.step(attack(env, 0)).terminated.item()
        shots += env.games.units[COOLDOWN, 0, 0].item() > before - 7
    assert env.step(stop(env)).info["battle_won"].item()
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


@pytest.mark.parametrize(("unit", "cooldown"), [("Marine", 0.8608), ("Stalker", 1.87), ("Zealot", 1.2)])
def test_mean_time_between_shots(monkeypatch, unit, cooldown):
    env = duel(monkeypatch, unit, "Marine", batch_size=64)
    steps = 400
    change(env, facing(env, 1.0), health=torch.tensor([[45.0, FOREVER]]))
    disarm_enemies(env)
    for _ in range(steps):
        env.step(attack(env, 0))
    damage = {"Marine": 6, "Stalker": 13, "Zealot": 16}[unit]
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


@pytest.mark.parametrize(("unit", "metres"), [("Marine", 1.125), ("Stalker", 1.4766), ("Zealot", 1.125)])
def test_speed(monkeypatch, unit, metres):
    env = duel(monkeypatch, unit, "Marine")
    for action, direction in ((NORTH, (0, 1)), (SOUTH, (0, -1)), (EAST, (1, 0)), (WEST, (-1, 0))):
        before = positions(env)[0, 0]
        env.step(torch.tensor([[action]]))
        expected = torch.tensor(direction) * metres
        torch.testing.assert_close(positions(env)[0, 0] - before, expected.float(), atol=1e-4, rtol=0)
    before = positions(env)[0, 0]
    env.step(stop(env))
    assert torch.equal(positions(env)[0, 0], before)


def test_a_short_move_ends_at_its_goal(monkeypatch):
    env = duel(monkeypatch, "Stalker", "Marine", move_amount=0.5)
    before = positions(env)[0, 0]
    env.step(torch.tensor([[NORTH]]))
    torch.testing.assert_close(positions(env)[0, 0] - before, torch.tensor([0, 0.5]), atol=1e-5, rtol=0)


def test_first_shot_comes_when_the_enemy_has_walked_into_reach(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine", step_mul=1)
    ticks = 0
    while env.games.units[HEALTH, 0, 0] == 45:
        env.step(stop(env))
        ticks += 1
    assert ticks - 1 == pytest.approx((14 - 5.75) / 2.25 * 16, abs=1)  # ticks begun before the shot's
    assert positions(env)[0, 0].tolist() == [9, 16]


def test_attackers_chase_until_in_reach_and_then_stand(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine")
    change(env, facing(env, 6.0), health=FOREVER)
    disarm_enemies(env)
    for _ in range(4):
        env.step(attack(env, 0))
    distance = (positions(env)[0, 0] - positions(env)[0, 1]).norm().item()
    assert 5.75 - 4 * 2.25 / 16 < distance <= 5.75  # both took the tick's step that brought them into reach
    before = positions(env)
    env.step(attack(env, 0))
    assert torch.equal(positions(env), before)


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


def test_targets_are_kept_in_reach_and_else_the_nearest_noticed():
    random = torch.Generator().manual_seed(0)
    distance = torch.rand(200, 4, 5, generator=random) * 10
    distance[torch.rand(200, 4, 5, generator=random) < 0.2] = torch.inf  # the dead
    current = torch.randint(5, (200, 4), generator=random)
    reach = torch.tensor([1.0, 3.0, 5.0, 7.0])
    alarm = torch.where(torch.rand(200, 4, 5, generator=random) < 0.1, 1e6, 7.5)
    had = torch.rand(200, 4, generator=random) < 0.7
    target, engaged = acquire(distance, current, had, reach, alarm)
    for b, s in np.ndindex(200, 4):
        row = distance[b, s].tolist()
        noticed = [j for j in range(5) if row[j] <= alarm[b, s, j] and row[j] < float("inf")]
        kept = had[b, s] and row[current[b, s]] <= reach[s]
        expected = current[b, s].item() if kept else min(noticed, key=row.__getitem__, default=None)
        assert engaged[b, s].item() == (expected is not None)
        assert expected is None or target[b, s].item() == expected


@pytest.mark.parametrize(("answer", "moves_north"), [(None, True), (2.0, False)])
def test_enemies_answer_attacks_from_beyond_their_notice(monkeypatch, answer, moves_north):
    env = duel(monkeypatch, "Stalker", "Zealot", enemy_acquire_range=1.0, enemy_retaliation_range=answer)
    place = torch.tensor([[[20.0, 22.0], [20.0, 16.0]]])
    change(env, place)
    env.step(stop(env))
    assert positions(env)[0, 1, 1] == 16  # unprovoked: straight west, to the waypoint
    change(env, place)
    env.step(attack(env, 0))
    assert (positions(env)[0, 1, 1] > 16.5).item() == moves_north


def test_enemies_notice_within_scan_range(monkeypatch):
    """Marines look 5.5 beyond their edges: centre distance 6.25."""
    for distance, noticed in ((6.2, True), (6.3, False)):
        env = duel(monkeypatch, "Marine", "Marine", step_mul=1)
        change(env, torch.tensor([[[20.0, 16 + distance], [20.0, 16.0]]]))
        env.step(stop(env))
        assert (positions(env)[0, 1, 1] > 16.05).item() == noticed


def test_an_enemy_at_its_waypoint_stands_and_still_fights(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine")
    change(env, torch.tensor([[[25.0, 16.0], [9.0, 16.0]]]))
    env.step(stop(env))
    assert positions(env)[0, 1].tolist() == [9, 16]
    change(env, torch.tensor([[[14.0, 16.0], [9.0, 16.0]]]))
    env.step(stop(env))
    assert env.games.units[HEALTH, 0, 0] == 39


def test_shots_are_simultaneous(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine")
    change(env, facing(env, 4.0), health=3.0)
    transition = env.step(attack(env, 0))
    assert transition.info["dead_allies"].tolist() == transition.info["dead_enemies"].tolist() == [1]


def test_overlapping_units_push_each_other_apart(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine", step_mul=1)
    change(env, facing(env, 0.5))
    disarm_enemies(env)
    env.step(stop(env))
    place = positions(env)[0]
    torch.testing.assert_close(place[:, 0], torch.tensor([12 - 0.125, 12.5 + 0.125]), atol=1e-5, rtol=0)


def test_nobody_overlaps_for_long():
    env = selfplay_env("27m_vs_30m", 4, 1)
    env.reset()
    touching = 0
    for step in range(30):
        env.step(stop(env))
        distance = (positions(env).unsqueeze(1) - positions(env).unsqueeze(2)).norm(dim=3)
        alive = env.games.units[HEALTH] > 0
        pairs = alive.unsqueeze(1) & alive.unsqueeze(2) & ~torch.eye(57, dtype=torch.bool)
        if step >= 5:
            assert distance[pairs].min() > 0.9 * 0.75
            touching += (distance[pairs] < 0.76).sum().item()
    assert touching > 100  # the crowd was dense enough for the test to mean something


@pytest.mark.parametrize("map_name", PLAYABLE)
def test_nobody_leaves_walkable_ground(map_name):
    """Half of the games push against one wall, the others wander."""
    env = make(map_name, batch_size=4, seed=5, reset_noise=0.25)
    rows, script = ground(map_name), random_script(0)
    allowed = torch.tensor([[is_walkable(rows, x, y) for y in range(32)] for x in range(32)])
    steps = 1000 if map_name in ("3m", "3s_vs_5z") else 60
    walls = torch.tensor([NORTH, SOUTH, EAST, WEST])
    for step in range(steps):
        actions = script(env)
        wall = walls[(step // 40 + torch.arange(4)) % 4].unsqueeze(1).expand_as(actions)
        able = env.observation.available_actions.gather(2, wall.unsqueeze(2)).squeeze(2)
        pushing = able & (torch.arange(4) < 2).unsqueeze(1)
        env.step(torch.where(pushing, wall, actions))
        alive = env.games.units[HEALTH] > 0
        x, y = positions(env)[alive].int().T
        assert allowed[x, y].all()
        env.reset(env.games.terminated)
