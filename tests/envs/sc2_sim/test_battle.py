"""The model of the battle: how orders move units, and when they fire."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import EAST, HEALTH, NORTH, SOUTH, WEST

from .support import FOREVER, attack, change, disarm_enemies, duel, facing, positions, skirmish, stop

SPEEDS = [
    ("Marine", 1.125), ("Marauder", 1.125), ("Stalker", 1.4766), ("Zealot", 1.125),
    ("Colossus", 1.125), ("Zergling", 1.4766), ("Baneling", 1.25), ("Hydralisk", 1.125),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "metres"), SPEEDS)
def test_speed(monkeypatch, unit, metres):
    partner = "Hydralisk" if unit == "Marine" else "Marine"
    env = skirmish(monkeypatch, {partner: 1, unit: 1}, {"Marine": 2})
    mover = sorted([partner, unit]).index(unit)
    change(env, torch.tensor([[[9.0, 12], [9, 20], [29, 24], [29, 23]]]))
    disarm_enemies(env)
    for action, direction in ((NORTH, (0, 1)), (SOUTH, (0, -1)), (EAST, (1, 0)), (WEST, (-1, 0))):
        before = positions(env)[0, mover]
        env.step(torch.full((1, 2), action))
        expected = torch.tensor(direction) * metres
        torch.testing.assert_close(positions(env)[0, mover] - before, expected.float(), atol=1e-4, rtol=0)
    before = positions(env)[0, mover]
    env.step(stop(env))
    assert torch.equal(positions(env)[0, mover], before)


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


def test_an_enemy_at_its_waypoint_stands_and_still_fights(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine")
    change(env, torch.tensor([[[25.0, 16.0], [9.0, 16.0]]]))
    env.step(stop(env))
    assert positions(env)[0, 1].tolist() == [9, 16]
    change(env, torch.tensor([[[14.0, 16.0], [9.0, 16.0]]]))
    env.step(stop(env))
    assert env.games.units[HEALTH, 0, 0] == 39
