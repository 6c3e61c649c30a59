"""Whom enemies attack, and from how far they notice."""

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.planes import HEALTH
from cohort.envs.sc2_sim.targeting import acquire

from .support import attack, change, duel, make, positions, stop


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


@pytest.mark.parametrize(
    ("enemy", "distance"), [("Marine", 6.25), ("Marauder", 7.4375), ("Zergling", 5.75), ("Colossus", 8.875)]
)
def test_enemies_notice_within_scan_range(monkeypatch, enemy, distance):
    """max(5, range + 0.5) from edge to edge: marines look 5.5 beyond their edges."""
    for beyond, noticed in ((-0.05, True), (0.05, False)):
        env = duel(monkeypatch, "Marine", enemy, step_mul=1)
        change(env, torch.tensor([[[20.0, 16 + distance + beyond - 8], [20.0, 8.0]]]))
        env.step(stop(env))
        assert (env.games.enemy_target[0, 0] == 0).item() == noticed


def test_a_spine_crawler_stands_still_and_looks_no_further_than_it_reaches():
    env = make("2s_vs_1sc")
    place = positions(env)
    home = place[0, 2].clone()
    for distance, hit in ((8.80, False), (8.70, True)):  # 7 + 1.125 + 0.625
        place[0, 0] = home + torch.tensor([0.0, -distance])
        place[0, 1] = home + torch.tensor([-distance - 1, 0.0])
        change(env, place)
        env.step(stop(env))
        assert (env.games.units[4, 0, 0] < 80).item() == hit
        assert torch.equal(positions(env)[0, 2], home)


def test_melee_units_ignore_what_flies(monkeypatch):
    for enemy, engages in (("Marine", True), ("Stalker", True), ("Marauder", False), ("Zealot", False)):
        env = duel(monkeypatch, "Medivac", enemy)
        change(env, torch.tensor([[[20.0, 16.0], [22.0, 16.0]]]))
        env.step(stop(env))
        assert (env.games.enemy_target[0, 0] == 0).item() == engages
        assert (env.games.units[HEALTH, 0, 0] < 150).item() == engages


def test_orders_to_attack_what_flies_over_a_ground_weapon_do_nothing(monkeypatch):
    env = duel(monkeypatch, "Marauder", "Medivac")
    change(env, torch.tensor([[[20.0, 16.0], [25.9, 16.0]]]))
    assert env.observation.available_actions[0, 0, 6]  # SMAC offers it
    env.step(attack(env, 0))
    assert positions(env)[0, 0].tolist() == [20, 16]
    assert env.games.units[HEALTH, 0, 1] == 150


def test_an_order_to_attack_the_team_finds_it_at_any_distance():
    """2c_vs_64zg: zerglings go for the nearest colossus, wherever it is."""
    env = make("2c_vs_64zg")
    place = positions(env)
    place[0, :2] = torch.tensor([[4.0, 15.0], [28.0, 15.0]])
    change(env, place)
    env.step(stop(env))
    nearest = (place[0, 2:].unsqueeze(1) - place[0, :2]).norm(dim=2).argmin(1)
    assert torch.equal(env.games.enemy_target[0], nearest)
    assert len(nearest.unique()) == 2
