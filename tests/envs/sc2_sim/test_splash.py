"""Colossi and banelings: whom their attacks hurt, and whom not."""

import pytest
import torch

from cohort.envs.sc2_sim.planes import FIRST_ATTACK, HEALTH

from .support import FOREVER, change, disarm_enemies, make, skirmish, stop


def burn(env) -> int:
    """Attack until somebody is hurt, and say in which tick that was."""
    before = env.games.units[HEALTH].clone()
    for tick in range(30):
        env.step(torch.where(env.observation.available_actions[:, :, 6], 6, 1))
        if not torch.equal(env.games.units[HEALTH], before):
            return tick
    raise AssertionError("nobody was hurt")


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0, 4.5])
def test_a_colossus_burns_a_line_across_its_shot(monkeypatch, angle):
    """The line is 2.8 by 0.3: zerglings (radius 0.375) up to 1.775 aside or 0.525 behind the target are hit."""
    env = skirmish(monkeypatch, {"Colossus": 1}, {"Zergling": 8}, step_mul=1)
    env.battle.regeneration = None
    aside_behind = torch.tensor(
        [[0.0, 0], [1.0, 0], [-1.0, 0], [1.77, 0], [-1.8, 0], [0, 0.52], [0, -0.54], [2.0, 0.0]]
    )
    along = torch.tensor([torch.tensor(angle).cos(), torch.tensor(angle).sin()])
    across = torch.tensor([-along[1], along[0]])
    place = torch.full((1, 9, 2), 16.0)
    place[0, 1:] += 5 * along + aside_behind[:, :1] * across + aside_behind[:, 1:] * along
    change(env, place, health=torch.tensor([[200.0] + [45.0] * 8]))
    disarm_enemies(env)
    env.battle.constants.stride.zero_()
    env.battle.collision.push = lambda position, turned=True: position
    assert burn(env) == 1 + 6  # its aim takes 1.3 ticks, its beam arrives 0.375 s later
    hit = env.games.units[HEALTH, 0, 1:] < 45
    assert hit.tolist() == [True, True, True, True, False, True, False, False]
    assert env.games.units[HEALTH, 0, 1] == 45 - 2 * 20


def test_a_colossus_never_burns_its_own_side_nor_what_flies(monkeypatch):
    env = skirmish(monkeypatch, {"Colossus": 1, "Marine": 2}, {"Marine": 2, "Medivac": 1}, step_mul=1)
    place = torch.tensor([[[12.0, 16], [17, 16.5], [17, 15.5], [17, 16], [17, 17], [17, 15]]])
    change(env, place)
    disarm_enemies(env)
    env.battle.duel[2:].zero_()  # of the marines
    burn(env)
    assert env.games.units[HEALTH, 0].tolist() == [200, 45, 45, 5, 5, 150]


def test_two_colossi_add_up_and_count_armour_per_hit(monkeypatch):
    env = skirmish(monkeypatch, {"Colossus": 2}, {"Zealot": 2}, step_mul=1)
    change(env, torch.tensor([[[12.0, 16], [22, 16], [17, 16], [17, 17]]]), shield=0.0)
    change(env, unhurt=FOREVER)
    disarm_enemies(env)
    burn(env)
    loss = 2 * 2 * (20 - 1)
    assert env.games.units[HEALTH, 0].tolist() == [200, 200, 100 - loss, 100 - loss]


@pytest.mark.parametrize(("distance", "hit"), [(2.2 + 0.375 - 0.01, True), (2.2 + 0.375 + 0.01, False)])
def test_a_burst_hurts_within_its_radius_and_spends_the_baneling(monkeypatch, distance, hit):
    env = skirmish(monkeypatch, {"Baneling": 1, "Zergling": 1}, {"Marine": 2}, step_mul=1)
    change(env, torch.tensor([[[16.0, 16], [16, 15.5], [16.7, 16], [16, 16 + distance]]]))
    disarm_enemies(env)
    env.step(torch.tensor([[6, 1]]))
    assert env.games.units[HEALTH, 0].tolist() == [0, 35, 10, 10 if hit else 45]  # 20 + 15 against light


def test_a_baneling_that_is_killed_bursts_unless_told_otherwise(monkeypatch):
    for bursts in (True, False):
        env = skirmish(
            monkeypatch, {"Baneling": 1, "Marine": 1}, {"Marine": 1, "Zergling": 1}, step_mul=1,
            banelings_burst_when_killed=bursts,
        )  # fmt: skip
        place = torch.tensor([[[16.0, 16], [20, 20], [18, 16], [25, 16]]])
        change(env, place, health=torch.tensor([[3.0, 45, 45, 35]]))
        env.step(stop(env))
        env.step(stop(env))  # where weapons aim at all, a marine's does for a tick
        assert env.games.units[HEALTH, 0].tolist() == [0, 45, 10 if bursts else 45, 35]


def test_banelings_that_a_burst_kills_burst_in_the_same_tick(monkeypatch):
    """The second burst also reaches a marine beyond the first, and nobody bursts twice."""
    env = skirmish(monkeypatch, {"Baneling": 1, "Marine": 1}, {"Baneling": 1, "Marine": 1}, step_mul=1)
    place = torch.tensor([[[16.0, 16], [18.9, 16], [16.9, 16], [13.0, 16]]])
    change(env, place, health=torch.tensor([[30.0, 45, 20, 45]]))
    disarm_enemies(env)
    env.step(torch.tensor([[6, 1]]))
    assert env.games.units[HEALTH, 0].tolist() == [0, 45 - 35, 0, 45]


def test_the_attack_is_the_banelings_own_death_without_a_second_burst(monkeypatch):
    """Shot in the tick of its attack, it still bursts once only."""
    env = skirmish(monkeypatch, {"Baneling": 1, "Marine": 1}, {"Zealot": 1, "Marine": 1}, step_mul=1)
    place = torch.tensor([[[16.0, 16], [25, 20], [17, 16], [19, 16]]])
    change(env, place, health=torch.tensor([[3.0, 45, 100, 45]]), shield=0.0)
    env.step(torch.tensor([[6, 1]]))
    assert env.games.units[HEALTH, 0, 0] == 0
    assert env.games.units[HEALTH, 0, 2] == 100 - (20 + 15 - 1)


def test_enemy_banelings_run_into_the_team():
    env = make("so_many_baneling", batch_size=4)
    for _ in range(45):
        transition = env.step(stop(env))
    assert (transition.info["dead_allies"] == 7).all()
    assert (transition.info["dead_enemies"] >= 5).all()
    assert (transition.info["dead_enemies"] <= 5 * 7).all()


def test_beams_land_in_the_same_tick_whether_steps_are_long_or_short(monkeypatch):
    """Beams of several ticks are worked out together; whole steps and single ticks tell the same story."""
    whole, ticks = (
        skirmish(monkeypatch, {"Colossus": 2}, {"Zergling": 3}, step_mul=n, weapon_jitter=False)
        for n in (8, 1)
    )
    place = torch.tensor([[[12.0, 16], [12, 17], [17, 16], [17, 16.8], [17, 17.6]]])
    for env in (whole, ticks):
        change(env, place, health=FOREVER, cooldown=torch.tensor([[0.0, 3.0, 0, 0, 0]]))
        env.battle.constants.stride.zero_()
        env.battle.regeneration = None
        disarm_enemies(env)
    losses = []
    for _ in range(6):
        whole.step(torch.full((1, 2), FIRST_ATTACK))
        for _ in range(8):
            ticks.step(torch.full((1, 2), FIRST_ATTACK))
        torch.testing.assert_close(whole.games.units[HEALTH], ticks.games.units[HEALTH])
        losses.append((FOREVER - whole.games.units[HEALTH, 0, 2]).item())
    assert losses[-1] == 2 * 2 * 2 * 20  # two colossi, two shots each in 3 s
