"""Bodies that push each other apart and stay on walkable ground."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import EAST, HEALTH, NORTH, SOUTH, WEST

from .scripts import random_script
from .selfplay import selfplay_env
from .support import MAPS, change, disarm_enemies, duel, facing, make, positions, skirmish, stop
from .test_observe import ground, is_walkable


def test_overlapping_units_push_each_other_apart(monkeypatch):
    env = duel(monkeypatch, "Marine", "Marine", step_mul=1)
    change(env, facing(env, 0.5))
    disarm_enemies(env)
    env.step(stop(env))
    place = positions(env)[0]
    torch.testing.assert_close(place[:, 0], torch.tensor([12 - 0.125, 12.5 + 0.125]), atol=1e-5, rtol=0)
    turned = 0.1 * 0.125  # a little to each one's left, so that those in line pass each other
    torch.testing.assert_close(place[:, 1], torch.tensor([16 - turned, 16 + turned]), atol=1e-5, rtol=0)


def test_a_unit_straight_behind_another_gets_past(monkeypatch):
    env = skirmish(monkeypatch, {"Marine": 1}, {"Marine": 2}, reset_noise=0.0)
    env.battle.senses.acquire.fill_(-1.0)
    env.battle.march.places.zero_()
    env.battle.constants.stride[1] = 0.0  # in the way
    change(env, torch.tensor([[[28.0, 24.0], [15.0, 16.0], [17.0, 16.0]]]))
    for _ in range(25):
        env.step(stop(env))
    assert positions(env)[0, 2, 0] < 11


def test_who_runs_into_a_spine_crawler_yields_alone(monkeypatch):
    env = duel(monkeypatch, "Stalker", "SpineCrawler", step_mul=1)
    change(env, facing(env, 1.3))
    disarm_enemies(env)
    env.step(stop(env))
    place = positions(env)[0]
    overlap = 0.625 + 0.875 - 1.3
    torch.testing.assert_close(place[:, 0], torch.tensor([12 - overlap, 13.3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("unit", ["Medivac", "Colossus"])
def test_who_flies_or_strides_is_pushed_only_by_its_like(monkeypatch, unit):
    env = skirmish(monkeypatch, {unit: 1, "Marine": 1}, {unit: 1, "Marine": 1}, step_mul=1)
    kinds = torch.tensor([kind.layer == "air" or kind.strides for kind in env.battle.constants.units])
    place = torch.full((1, 4, 2), 16.0)
    place[0, 2:, 0] += 0.25
    place[0, ~kinds, 0] += 0.6
    change(env, place)
    disarm_enemies(env)
    env.battle.constants.stride.zero_()
    if env.battle.healing:
        env.games = env.games._replace(pace=torch.zeros_like(env.games.pace))
    env.step(stop(env))
    overlap = {True: 1.5 - 0.25, False: 0.75 - 0.25}
    moved = (positions(env) - place)[0, :, 0]
    for i, (alike, side) in enumerate(zip(kinds.tolist(), (-1, -1, 1, 1), strict=True)):
        assert moved[i].item() == pytest.approx(side * overlap[alike] / 2, abs=1e-4)


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


@pytest.mark.parametrize("map_name", MAPS)
def test_nobody_leaves_walkable_ground(map_name):
    """1,000 steps over 8 games; half of them push against one wall, the others wander."""
    games = 8
    env = make(map_name, batch_size=games, seed=5, reset_noise=0.25)
    rows, script = ground(map_name), random_script(0)
    allowed = torch.tensor([[is_walkable(rows, x, y) for y in range(32)] for x in range(32)])
    units = env.battle.constants.units
    free = torch.tensor([unit.layer == "air" or unit.strides for unit in units])
    walls = torch.tensor([NORTH, SOUTH, EAST, WEST])
    for step in range(1000 // games):
        actions = script(env)
        wall = walls[(step // 40 + torch.arange(games)) % 4].unsqueeze(1).expand_as(actions)
        able = env.observation.available_actions.gather(2, wall.unsqueeze(2)).squeeze(2)
        pushing = able & (torch.arange(games) < games // 2).unsqueeze(1)
        env.step(torch.where(pushing, wall, actions))
        alive, place = env.games.units[HEALTH] > 0, positions(env)
        x, y = place[alive & ~free].int().T
        assert allowed[x, y].all()
        assert ((place[alive] >= 0) & (place[alive] < 32)).all()
        env.reset(env.games.terminated)
