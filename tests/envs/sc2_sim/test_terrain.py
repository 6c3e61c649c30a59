"""What units may stand on, and sliding along cliffs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.envs.sc2_sim.maps import CENTRE, all_maps
from cohort.envs.sc2_sim.terrain import Terrain, walkable_cells

FAR = 1e20  # where the simulator keeps the dead
MAPS = {facts.terrain_name: name for name, facts in all_maps().items()}


def ground(map_name: str) -> tuple[str, ...]:
    return all_maps()[map_name].terrain


def is_walkable(rows: tuple[str, ...], x: int, y: int) -> bool:
    return 0 <= x < 32 and 0 <= y < 32 and rows[31 - y][x] != "."


def terrain(map_name: str) -> Terrain:
    return Terrain(all_maps()[map_name], torch.device("cpu"))


def point(*place: float) -> torch.Tensor:
    """[2, 1, 1] from metres from the lower left corner."""
    return torch.tensor(place).view(2, 1, 1) - CENTRE


def walkers(map_name: str, n: int, seed: int) -> torch.Tensor:
    """[2, 1, n] random points on walkable ground, many of them next to their cell's border."""
    random = np.random.default_rng(seed)
    cells = np.argwhere(walkable_cells(all_maps()[map_name]))
    inside = random.choice([0.0, 1e-4, 0.5, 1 - 1e-4], (n, 2)) * random.choice([1.0, random.random()], (n, 2))
    points = cells[random.integers(len(cells), size=n)] + inside - CENTRE
    return torch.tensor(points.T, dtype=torch.float32).unsqueeze(1)


@pytest.mark.parametrize("name", sorted(MAPS))
def test_bounds_are_those_of_walkable_ground(name):
    rows, ours = ground(MAPS[name]), terrain(MAPS[name])
    cells = [(x, y) for x in range(32) for y in range(32) if is_walkable(rows, x, y)]
    assert ours.rectangular == (name in ("lane", "open"))
    for axis in range(2):
        values = [cell[axis] for cell in cells]
        assert ours.low[axis].item() + CENTRE == min(values)
        assert ours.high[axis].item() + CENTRE == pytest.approx(max(values) + 1, abs=1e-5)
    assert not ours.walkable(ours.low - 0.01).any()
    assert not ours.walkable(ours.high + 0.01).any()
    assert ours.air_low.flatten().tolist() == [-CENTRE, -CENTRE]
    assert ((ours.air_high + CENTRE < 32) & (ours.air_high + CENTRE > 31.999)).all()


def slide(rows: tuple[str, ...], before: list[float], after: list[float]) -> list[float]:
    """The rule of `confine`, one unit at a time."""
    for x, y in ((after[0], after[1]), (after[0], before[1]), (before[0], after[1])):
        if is_walkable(rows, int(x + CENTRE), int(y + CENTRE)):
            return [x, y]
    return before


@pytest.mark.parametrize("name", sorted(MAPS))
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.sampled_from([0.18, 0.7, 3.0]))
def test_confine_slides_like_one_unit_at_a_time_and_ends_on_walkable_ground(name, seed, reach):
    ours, rows, before = terrain(MAPS[name]), ground(MAPS[name]), walkers(MAPS[name], 50, seed)
    after = before + reach * (2 * torch.rand(2, 1, 50, generator=torch.Generator().manual_seed(seed)) - 1)
    ended = ours.confine(before, after)
    assert ours.walkable(ended).all()
    for k in range(50):
        expected = slide(rows, before[:, 0, k].tolist(), after[:, 0, k].tolist())
        assert ended[:, 0, k].tolist() == expected


def test_a_walker_slides_along_a_cliff_and_stops_in_a_notch():
    ours = terrain("corridor")  # its first wall is the row from y = 13 on, west of x = 11
    assert ours.confine(point(5.0, 12.9), point(5.1, 13.1)).equal(point(5.1, 12.9))
    assert ours.confine(point(2.05, 5.0), point(1.9, 5.1)).equal(point(2.05, 5.1))
    assert ours.confine(point(2.05, 12.9), point(1.95, 13.1)).equal(point(2.05, 12.9))
    assert ours.confine(point(5.0, 11.0), point(5.1, 11.1)).equal(point(5.1, 11.1))


def test_the_dead_stay_off_the_map():
    dead = torch.full((2, 1, 3), FAR) * torch.tensor([1.0, 2.0, 90.0])
    dead[1] = 0.0
    ours = terrain("corridor")
    assert ours.confine(dead, dead).equal(dead)
    assert ours.confine(dead, dead.nan_to_num(posinf=0) + 1).equal(dead)
    assert not ours.walkable(dead).any()


def test_confine_compiles_whole():
    ours, before = terrain("so_many_baneling"), walkers("so_many_baneling", 40, 0)
    after = before + 0.5 * torch.randn(2, 1, 40, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(ours.confine, fullgraph=True, backend="aot_eager")
    assert compiled(before, after).equal(ours.confine(before, after))
