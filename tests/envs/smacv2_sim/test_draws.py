"""Teams and places have the distributions of SMACv2's `weighted_teams` and `surrounded_and_reflect`."""

import importlib.util
import itertools
import math
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from cohort.envs.sc2_sim.noise import game_keys
from cohort.envs.smacv2_sim.places import Places
from cohort.envs.smacv2_sim.tasks import RACES
from cohort.envs.smacv2_sim.teams import Teams

MANY = 40_000
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def keys():
    return game_keys(7, torch.arange(MANY))


def close(share: float, chance: float) -> bool:
    """Within five standard errors of a share of MANY draws."""
    return abs(share - chance) <= 5 * math.sqrt(max(chance * (1 - chance), 1e-9) / MANY)


@pytest.mark.parametrize("race", RACES)
def test_teams_have_the_chances_of_drawing_again_while_all_are_special(keys, race):
    kinds = RACES[race].kinds
    drawn = Counter(map(tuple, Teams(RACES[race], 3, 3, CPU).types(keys).tolist()))
    chances = {
        team: math.prod(kinds[i].weight for i in team)
        for team in itertools.product(range(3), repeat=3)
        if any(kinds[i].alone for i in team)
    }
    assert set(drawn) <= set(chances)
    total = sum(chances.values())
    for team, chance in chances.items():
        assert close(drawn[team] / MANY, chance / total), team


def test_more_enemies_are_a_group_of_their_own_that_is_not_special_either(keys):
    kinds = RACES["terran"].kinds
    types = Teams(RACES["terran"], 2, 3, CPU).types(keys)
    extra = Counter(types[:, 2].tolist())
    assert kinds[2].name == "Medivac"
    assert extra[2] == 0
    assert close(extra[0] / MANY, 0.5)
    together = (types[:, 0] == 0) & (types[:, 2] == 0)  # independent of the team
    first = (types[:, 0] == 0).float().mean().item()
    assert close(together.float().mean().item(), first * 0.5)


def test_half_of_the_episodes_mirror_the_team(keys):
    position, rank, crowd = Places(4, 6, CPU).ask(keys)
    surrounded = (position[:, :, :4] == 0).all(2).all(0)
    assert close(surrounded.float().mean().item(), 0.5)
    (x, y), rank = position[:, ~surrounded], rank[~surrounded]
    torch.testing.assert_close(x[:, 4:8], -x[:, :4])
    torch.testing.assert_close(y[:, 4:8], y[:, :4])
    assert not rank.any()
    assert (crowd[~surrounded] == 1).all()
    for values, low, high in (
        (x[:, :4], -16, -1),
        (y[:, :4], -16, 16),
        (x[:, 8:], 0, 16),
        (y[:, 8:], -16, 16),
    ):
        assert low <= values.min()
        assert values.max() < high
        quarter = (values < low + (high - low) / 4).float().mean().item()
        assert abs(quarter - 0.25) < 0.01


def test_the_others_are_surrounded_from_one_to_four_diagonals(keys):
    n = 3
    position, rank, crowd = Places(2, n, CPU).ask(keys)
    surrounded = (position[:, :, :2] == 0).all(2).all(0)
    (x, y), rank, crowd = position[:, surrounded, 2:], rank[surrounded, 2:], crowd[surrounded, 2:]
    torch.testing.assert_close(x.abs(), y.abs())
    assert x.abs().min() >= 2
    assert x.abs().max() <= 16
    first = x[:, 0].abs()
    assert abs((first < 9).float().mean().item() - 0.5) < 0.02  # the distance is uniform
    way = (2 * (x > 0) + (y > 0)).tolist()
    share = Counter(map(tuple, way))
    # given k groups of a random choice of ways, units choose groups one by one and are then put in order
    alike = sum(share[(w, w, w)] for w in range(4)) / len(way)
    assert abs(alike - sum(k * k**-n for k in (1, 2, 3, 4)) / 4) < 0.015
    for w in range(4):
        assert abs(sum(team[0] == w for team in way) / len(way) - 0.25) < 0.015
    assert rank[:, 0].tolist() == [0] * len(rank)
    same_point = (x[:, 1] == x[:, 0]) & (y[:, 1] == y[:, 0])
    assert torch.equal(rank[:, 1] == 1, same_point)
    assert torch.equal(crowd[:, 0] > 1, same_point)  # units of a group follow each other


def _distributions() -> ModuleType:
    """smacv2's module alone: its package does not load beside a current protobuf."""
    smacv2 = importlib.util.find_spec("smacv2")
    if smacv2 is None:
        pytest.skip("oxwhirl's smacv2 is not installed")
    file = Path(smacv2.origin).parent / "env/starcraft2/distributions.py"
    spec = importlib.util.spec_from_file_location("distributions", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_smacv2s_own_distributions(keys):
    """Two samples, ours and that of SMACv2's module, look alike in all that the wrapper uses."""
    distributions = _distributions()
    config = {"n_units": 4, "n_enemies": 5, "map_x": 32, "map_y": 32, "p": 0.5, "env_key": "team_gen"}
    config |= {"unit_types": [0, 1, 2], "weights": [0.45, 0.45, 0.1], "exception_unit_types": [2]}
    places = distributions.SurroundedAndReflectPositionDistribution(config)
    teams = distributions.WeightedTeamsDistribution(config)
    asked, drawn = [], []
    for _ in range(4000):
        place = places.generate()
        asked.append([*place["ally_start_positions"]["item"], *place["enemy_start_positions"]["item"]])
        drawn.append(teams.generate()["team_gen"]["enemy_team"])
    theirs = torch.tensor(np.array(asked), dtype=torch.float32) - 16
    ours = Places(4, 5, CPU).ask(keys).position.permute(1, 2, 0)
    for power, tolerance in ((1, 0.6), (2, 6.0)):
        means = (theirs**power).mean(0), (ours**power).mean(0)
        torch.testing.assert_close(*means, atol=tolerance, rtol=0)
    types = Teams(RACES["terran"], 4, 5, CPU).types(keys)
    for kind in range(3):
        shares = (torch.tensor(np.array(drawn)) == kind).float().mean(0), (types == kind).float().mean(0)
        torch.testing.assert_close(*shares, atol=0.04, rtol=0)
