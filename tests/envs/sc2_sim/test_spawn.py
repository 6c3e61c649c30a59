"""Where battles begin."""

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.spawn import start_positions
from cohort.envs.sc2_sim.units import UNITS, unit_names

from .support import MAPS, SYMMETRIC, make, positions
from .test_observe import ground, is_walkable


@pytest.mark.parametrize("map_name", MAPS)
def test_units_stand_free_around_their_spawn_points_on_walkable_ground(map_name):
    facts, place = all_maps()[map_name], start_positions(all_maps()[map_name]).T + 16.0
    units = [UNITS[name] for name in unit_names(facts)]
    for i, a in enumerate(units):
        assert is_walkable(ground(map_name), int(place[i, 0]), int(place[i, 1]))
        for j in range(i):
            assert np.hypot(*(place[i] - place[j])) >= a.separation + units[j].separation - 1e-5
    kinds, n = np.array(unit_names(facts)), facts.n_agents
    ally = np.arange(len(units)) < n
    for group in facts.groups:
        own = (kinds == group.unit) & (ally == (group.side == "ally"))
        distance = np.hypot(*(place[own] - group.spawn).T)
        together = sum(other.count for other in facts.groups if other.spawn == group.spawn)
        room = 2 * max(unit.separation for unit in units)
        assert np.sort(distance)[: group.count].max() < 1 + 1.1 * room * together**0.5
    for spawn in {group.spawn for group in facts.groups}:
        assert np.hypot(*(place - spawn).T).min() < 1e-5


@pytest.mark.parametrize("map_name", SYMMETRIC)
def test_equal_armies_start_point_symmetric_to_the_last_bit(map_name):
    facts = all_maps()[map_name]
    place, names, n = start_positions(facts).T, unit_names(facts), facts.n_agents
    allies = sorted((name, *point) for name, point in zip(names[:n], place[:n].tolist(), strict=True))
    enemies = sorted((name, *point) for name, point in zip(names[n:], (-place[n:]).tolist(), strict=True))
    assert allies == enemies


def test_allies_are_numbered_by_type_then_place():
    facts = all_maps()["3s5z"]
    assert unit_names(facts)[:8] == ["Stalker"] * 3 + ["Zealot"] * 5
    place = start_positions(facts).T[:8].tolist()
    assert place[:3] == sorted(place[:3])
    assert place[3:] == sorted(place[3:])


def test_reset_noise_moves_every_start_a_little_and_keeps_the_numbering():
    env, still = make("2s3z", batch_size=64, seed=1, reset_noise=0.25), make("2s3z", batch_size=1)
    place, start = positions(env), positions(still)
    moved = (place[:, 5:] - start[:, 5:]).abs()  # enemies keep their order
    assert moved.max() <= 0.25
    assert moved.mean() == pytest.approx(0.125, abs=0.01)
    assert (place[:, 0, 0] <= place[:, 1, 0]).all()  # stalkers from west to east
    assert (place[:, 2:4, 0] <= place[:, 3:5, 0]).all()  # zealots too
    nearest = (place[:, :5].unsqueeze(2) - start[:, :5].unsqueeze(1)).norm(dim=3).amin(2)
    assert nearest.max() <= 0.25 * 2**0.5 + 1e-5
    env.reset()
    assert not torch.equal(positions(env), place)


def test_enemy_spacing_loosens_the_enemy_alone():
    facts = all_maps()["8m"]
    tight, loose = start_positions(facts), start_positions(facts, enemy_spacing=2.0)
    assert np.array_equal(tight[:, :8], loose[:, :8])
    middle = np.array([[7.0], [0.0]])
    np.testing.assert_allclose(loose[:, 8:] - middle, 2 * (tight[:, 8:] - middle), atol=1e-5)


@pytest.mark.parametrize("map_name", MAPS)
def test_nobody_stands_straight_behind_a_comrade_and_noise_leaves_the_numbers_alone(map_name):
    """Half of the least distance from west to east between two allies of a type is more than the default noise."""
    facts = all_maps()[map_name]
    place, names, n = start_positions(facts), unit_names(facts), facts.n_agents
    default = SC2SimSettings(map_name=map_name).reset_noise
    for kind in set(names[:n]):
        x = np.sort(place[0, [i for i in range(n) if names[i] == kind]])
        assert len(x) == 1 or np.diff(x).min() > 2 * default
    env = make(map_name, batch_size=32, seed=1, reset_noise=default)
    assert (
        (positions(env)[:, :n] - (torch.from_numpy(place.T[:n]) + 16)).abs().amax() <= default + 1e-5
    ).item()
