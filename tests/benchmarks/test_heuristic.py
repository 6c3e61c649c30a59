"""SMAC's scripted team: the nearest, until it is dead."""

import torch

from benchmarks.real_game.heuristic import PUBLISHED, ScriptedBattle, play
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.planes import HEALTH
from cohort.envs.sc2_sim.settings import SC2SimSettings
from tests.envs.sc2_sim.support import make, positions


def test_everybody_takes_the_nearest_enemy_and_keeps_it_while_it_lives():
    env = make("8m", 2)
    battle = ScriptedBattle(env)
    units = env.games.units.clone()
    place = positions(env)
    nearest = 8 + torch.cdist(place[:, :8], place[:, 8:]).argmin(2)
    assert torch.equal(battle.orders(units, env.games.actions.clamp_min(0), env.games.keys).target, nearest)
    units[:2, :, 8:] = units[:2, :, 8:].flip(2)  # others are nearest now
    assert torch.equal(battle.choose(units), nearest)
    units[HEALTH, :, nearest[0, 0]] = 0.0
    changed = battle.choose(units)
    assert (changed[nearest == nearest[0, 0]] != nearest[0, 0]).all()
    assert torch.equal(changed[nearest != nearest[0, 0]], nearest[nearest != nearest[0, 0]])


def test_medivacs_heal_who_is_hurt_and_else_nobody():
    env = make("MMM")
    battle = ScriptedBattle(env)
    units = env.games.units.clone()
    assert battle.orders(units, env.games.actions.clamp_min(0), env.games.keys).acting[0, :10].tolist() == [
        True
    ] * 9 + [False]
    units[HEALTH, 0, 4] -= 1
    assert battle.choose(units)[0, 9] == 4


def test_published_maps_are_maps_and_a_hopeless_one_is_lost():
    assert set(PUBLISHED) <= set(all_maps())
    result = play(SC2SimSettings(map_name="2m_vs_1z"), 4, seed=0)
    assert result["battle_won"] == 0
    assert result["dead_allies"] == 2
