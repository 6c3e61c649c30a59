"""Missiles, second hits and beams: when they arrive, and what becomes of those whose target is gone."""

import pytest
import torch

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.planes import COOLDOWN, HEALTH, SHIELD

from .scripts import nearest
from .support import FOREVER, change, disarm_enemies, duel, facing, insist, make, skirmish, stop


def times(env) -> tuple[int, list[int]]:
    """The tick of the first shot, and those in which the enemy is hurt, within 20 ticks of one a step."""
    fired, hurt = None, []
    for tick in range(20):
        before = env.games.units[HEALTH, 0, 1].item()
        if fired is None:
            insist(env)
        else:
            env.step(stop(env))
        if fired is None and env.games.units[COOLDOWN, 0, 0] > 1:
            fired = tick
        if env.games.units[HEALTH, 0, 1] < before:
            hurt.append(tick)
    return fired, hurt


@pytest.mark.parametrize(
    ("unit", "metres", "ticks"),
    [
        ("Stalker", 6.5, 16 * 6.5 / 18.75),
        ("Marauder", 6.5, 16 * 6.5 / 20),
        ("Marauder", 2.0, 16 * 2 / 20),
        ("Hydralisk", 5.5, 16 * 5.5 / 40),
        ("Marine", 5.0, 0),
    ],
)
def test_a_missile_flies_at_its_speed(monkeypatch, unit, metres, ticks):
    env = duel(monkeypatch, unit, "Marine", step_mul=1)
    env.battle.constants.stride[1], env.battle.regeneration = 0.0, None
    change(env, facing(env, metres), health=FOREVER)
    disarm_enemies(env)
    fired, hurt = times(env)
    assert hurt == [fired + round(ticks)]


def test_a_zealots_second_hit_comes_later(monkeypatch):
    """0.28 s are 4.5 ticks; each is one hit of 8 for its own armour."""
    env = duel(monkeypatch, "Zealot", "Marauder", step_mul=1)
    env.battle.constants.stride[1] = 0.0
    change(env, facing(env, 1.0))
    disarm_enemies(env)
    fired, hurt = times(env)
    assert hurt == [fired, fired + 4]
    assert env.games.units[HEALTH, 0, 1] == 125 - 2 * (8 - 1)


def test_what_flies_at_the_dead_is_lost_and_hurts_nobody_else(monkeypatch):
    """Two stalkers shoot at a marine that one shot kills: the second shot is overkill."""
    env = skirmish(monkeypatch, {"Stalker": 2}, {"Marine": 2}, step_mul=1)
    env.battle.constants.stride.zero_()
    health = torch.tensor([[80.0, 80.0, 8.0, 45.0]])
    change(env, torch.tensor([[[12.0, 16], [12, 18], [17, 17], [17, 16]]]), health=health)
    disarm_enemies(env)
    for _ in range(12):
        env.step(torch.where(env.observation.available_actions[:, :, 6], 6, 1))
    assert (env.games.units[COOLDOWN, 0, :2] > 0).all()  # both have fired
    assert env.games.units[HEALTH, 0].tolist() == [80, 80, 0, 45]


def test_a_missile_survives_its_shooter(monkeypatch):
    env = duel(monkeypatch, "Stalker", "Marauder", step_mul=1)
    env.battle.constants.stride.zero_()
    change(env, facing(env, 6.0))
    disarm_enemies(env)
    for _ in range(4):
        insist(env)
    assert env.games.units[COOLDOWN, 0, 0] > 0
    full = env.games.units[HEALTH, 0, 1].item()
    change(env, health=torch.tensor([[0.0, full]]), terminated=torch.tensor([False]))
    env.games = env.games._replace(terminated=torch.tensor([False]))
    for _ in range(8):
        env.games = env.games._replace(terminated=torch.tensor([False]))
        env.step(torch.zeros(1, 1, dtype=torch.int64))
    assert env.games.units[HEALTH, 0, 1] == full - (10 + 4 - 1)


def test_whole_steps_and_single_ticks_tell_the_same_story(monkeypatch):
    whole, ticks = (duel(monkeypatch, "Stalker", "Zealot", step_mul=n, weapon_jitter=False) for n in (8, 1))
    for env in (whole, ticks):
        change(env, facing(env, 6.5), health=FOREVER, shield=FOREVER)
        disarm_enemies(env)
        env.battle.constants.stride.zero_()
    for _ in range(8):
        insist(whole)
        for _ in range(8):
            insist(ticks)
        torch.testing.assert_close(whole.games.units[SHIELD], ticks.games.units[SHIELD])


@pytest.mark.parametrize("map_name", ["2s3z", "MMM", "6h_vs_8z", "1c3s5z"])
def test_what_is_on_its_way_is_saved_and_forgotten_with_the_battle(map_name):
    env = make(map_name, 4, seed=2)
    seen = 0.0
    for _ in range(14):
        env.step(nearest(env))
        seen = max(seen, env.games.pending.sum().item())
    assert seen > 0
    other = SC2Sim(env.settings, 4, seed=99)
    other.load_state_dict(env.state_dict())
    for _ in range(5):
        actions = nearest(env)
        env.step(actions)
        other.step(actions)
    assert all(torch.equal(a, b) for a, b in zip(env.games, other.games, strict=True))
    env.reset()
    assert env.games.pending.sum() == 0
    assert (env.games.target == -1).all()
