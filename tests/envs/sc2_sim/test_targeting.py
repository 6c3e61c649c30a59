"""Whom enemies attack, and from how far they notice."""

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.planes import COOLDOWN, HEALTH, WEST
from cohort.envs.sc2_sim.targeting import acquire

from .support import FOREVER, attack, change, duel, facing, insist, make, positions, skirmish, stop


def test_targets_are_kept_in_reach_else_the_nearest_noticed_else_the_last_followed():
    random = torch.Generator().manual_seed(0)
    distance = torch.rand(200, 4, 5, generator=random) * 20
    distance[torch.rand(200, 4, 5, generator=random) < 0.2] = torch.inf  # the dead
    current = torch.randint(5, (200, 4), generator=random)
    reach = torch.tensor([1.0, 3.0, 5.0, 7.0])
    alarm = torch.where(torch.rand(200, 4, 5, generator=random) < 0.1, 1e6, 7.5)
    had = torch.rand(200, 4, generator=random) < 0.7
    chase = torch.tensor([100.0, 100.0, 5.0, 7.0])
    target, engaged = acquire(distance, current, had, reach, alarm, chase)
    followed = 0
    for b, s in np.ndindex(200, 4):
        row = distance[b, s].tolist()
        noticed = [j for j in range(5) if row[j] <= alarm[b, s, j] and row[j] < float("inf")]
        last = row[current[b, s]] if had[b, s] else float("inf")
        follows = not noticed and last <= chase[s]
        followed += follows
        kept = last <= reach[s] or follows
        expected = current[b, s].item() if kept else min(noticed, key=row.__getitem__, default=None)
        assert engaged[b, s].item() == (expected is not None)
        assert expected is None or target[b, s].item() == expected
    assert followed > 5


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


def test_enemies_answer_shots_and_not_orders(monkeypatch):
    """A stalker on its way to an enemy that has not noticed it does not wake it; its first shot does."""
    env = duel(monkeypatch, "Stalker", "Zealot", step_mul=1, enemy_acquire_range=1.0)
    change(env, torch.tensor([[[20.0, 25.0], [20.0, 16.0]]]))
    env.battle.constants.stride[1] = 0.0
    quiet = 0
    while env.games.units[COOLDOWN, 0, 0] <= 0 and quiet < 60:
        assert env.games.target[0, 1] == -1
        insist(env)
        quiet += 1
    assert quiet > 5
    insist(env)
    insist(env)
    assert env.games.target[0, 1] == 0


@pytest.mark.parametrize(("apart", "comes"), [(4.74, True), (4.76, False)])
def test_comrades_come_to_help_within_four_metres(monkeypatch, apart, comes):
    """Core.SC2Mod: CallForHelpRadius 4, from edge to edge, and then at any distance from the attacker."""
    env = skirmish(monkeypatch, {"Stalker": 1}, {"Marine": 2}, enemy_acquire_range=1.0)
    change(env, torch.tensor([[[20.0, 22.0], [20.0, 16.0], [20.0, 16.0 - apart]]]), health=FOREVER)
    env.battle.constants.stride[1:] = 0.0
    for _ in range(3):
        insist(env)
    assert env.games.target[0, 1:].tolist() == [0, 0 if comes else -1]


def test_an_enemy_follows_whom_it_attacks_and_then_goes_on_to_its_goal(monkeypatch):
    env = duel(monkeypatch, "Stalker", "Zealot")
    change(env, torch.tensor([[[20.0, 21.0], [20.0, 16.0]]]))
    env.step(stop(env))
    place = torch.tensor([[[28.0, 23.0], [20.0, 16.0]]])  # 10 m away, as if it had run
    change(env, place)
    before = positions(env)[0, 1]
    env.step(stop(env))
    assert (positions(env)[0, 1] - before > 0.3).all()
    change(env, health=torch.tensor([[0.0, 100.0]]))
    before = positions(env)[0, 1]
    env.step(torch.zeros(1, 1, dtype=torch.int64))
    assert positions(env)[0, 1, 0] < before[0]


def test_an_enemy_stands_for_its_backswing_after_a_shot(monkeypatch):
    """A marine's is 0.75 s, and the jitter of the cooldown adds -1 to 2 ticks; an agent may walk at once."""
    env = duel(monkeypatch, "Marine", "Marine", step_mul=1, weapon_jitter=False)
    change(env, facing(env, 5.0), health=torch.tensor([[FOREVER, FOREVER]]))
    env.step(attack(env, 0))
    state = positions(env).clone()
    state[0, 0, 0] = 3.0  # out of its reach
    change(env, state)
    still = 0
    while torch.equal(positions(env)[0, 1], state[0, 1]) and still < 30:
        env.step(stop(env))
        still += 1
    assert still - 1 in (11, 12, 13)
    env = duel(monkeypatch, "Marine", "Marine", step_mul=1)
    change(env, facing(env, 5.0), health=FOREVER)
    env.step(attack(env, 0))
    env.step(torch.tensor([[WEST]]))
    assert positions(env)[0, 0, 0] < 12


@pytest.mark.parametrize(
    ("enemy", "distance"), [("Marine", 5.75), ("Marauder", 6.9375), ("Zergling", 5.75), ("Colossus", 7.375)]
)
def test_enemies_notice_within_scan_range(monkeypatch, enemy, distance):
    """max(5, range) from edge to edge (Core.SC2Mod: MinScanRange 5)."""
    for beyond, noticed in ((-0.05, True), (0.05, False)):
        env = duel(monkeypatch, "Marine", enemy, step_mul=1)
        change(env, torch.tensor([[[20.0, 16 + distance + beyond - 8], [20.0, 8.0]]]))
        env.step(stop(env))
        assert (env.games.target[0, env.spec.n_agents] == 0).item() == noticed


def test_a_spine_crawler_stands_still_and_looks_no_further_than_it_reaches():
    env = make("2s_vs_1sc")
    place = positions(env)
    home = place[0, 2].clone()
    for distance, hit in ((8.55, False), (8.45, True)):  # 7 + 0.875 + 0.625
        place[0, 0] = home + torch.tensor([0.0, -distance])
        place[0, 1] = home + torch.tensor([-distance - 1, 0.0])
        change(env, place)
        for _ in range(3):  # to aim, and for the tentacle to come out
            env.step(stop(env))
        assert (env.games.units[4, 0, 0] < 80).item() == hit
        assert torch.equal(positions(env)[0, 2], home)


def test_melee_units_ignore_what_flies(monkeypatch):
    for enemy, engages in (("Marine", True), ("Stalker", True), ("Marauder", False), ("Zealot", False)):
        env = duel(monkeypatch, "Medivac", enemy)
        change(env, torch.tensor([[[20.0, 16.0], [22.0, 16.0]]]))
        env.step(stop(env))
        assert (env.games.target[0, env.spec.n_agents] == 0).item() == engages
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
    assert torch.equal(env.games.target[0, env.spec.n_agents :], nearest)
    assert len(nearest.unique()) == 2
