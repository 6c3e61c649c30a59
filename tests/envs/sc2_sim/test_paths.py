"""Ways over walkable ground against slow searches that one can see through."""

import functools
import heapq
import itertools
import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort.envs.sc2_sim.maps import CENTRE, all_maps
from cohort.envs.sc2_sim.paths import Paths
from cohort.envs.sc2_sim.terrain import Terrain, walkable_cells

from .test_terrain import FAR, point, terrain, walkers

WINDING = ("corridor", "so_many_baneling", "2c_vs_64zg", "bane_vs_bane", "2s_vs_1sc", "6h_vs_8z")
SLOWEST, FASTEST = 2.25 / 16, 2.9531 / 16  # metres per tick


@functools.cache
def paths(map_name: str) -> Paths:
    return Paths(walkable_cells(all_maps()[map_name]), torch.device("cpu"))


def clear(walkable: np.ndarray, start: tuple[int, int], goal: tuple[int, int]) -> bool:
    """Whether the hull of two cells overlaps no unwalkable cell, by searching for a separating axis."""
    run, rise = goal[0] - start[0], goal[1] - start[1]
    between = itertools.product(*(range(min(ends), max(ends) + 1) for ends in zip(start, goal, strict=True)))
    for x, y in between:
        if not walkable[x, y] and all(
            _overlap(
                [a * i + b * j for cell in (start, goal) for i, j in _vertices(cell)],
                [a * i + b * j for i, j in _vertices((x, y))],
            )
            for a, b in ((1, 0), (0, 1), (-rise, run))
            if (a, b) != (0, 0)
        ):
            return False
    return True


def _vertices(cell: tuple[int, int]) -> list[tuple[int, int]]:
    return [(cell[0] + i, cell[1] + j) for i in (0, 1) for j in (0, 1)]


def _overlap(a: list[int], b: list[int]) -> bool:
    return max(a) > min(b) and max(b) > min(a)


def shortest(walkable: np.ndarray, start: tuple[int, int]) -> dict[tuple[int, int], float]:
    """Dijkstra's distances from one cell over eight neighbours, without cutting corners."""
    distance, queue = {start: 0.0}, [(0.0, start)]
    while queue:
        here, (x, y) = heapq.heappop(queue)
        if here > distance[x, y]:
            continue
        for i, j in itertools.product((-1, 0, 1), (-1, 0, 1)):
            there = here + math.hypot(i, j)
            fits = walkable[x + i, y + j] and walkable[x + i, y] and walkable[x, y + j]
            if fits and there < distance.get((x + i, y + j), math.inf):
                distance[x + i, y + j] = there
                heapq.heappush(queue, (there, (x + i, y + j)))
    return distance


def cell(place: torch.Tensor) -> tuple[int, int]:
    return tuple(int(value) for value in place.flatten() + CENTRE)


def walk(ways: Paths, ground: Terrain, position: torch.Tensor, goal: torch.Tensor, stride: float, ticks: int):
    """Walk [2, 1, M]: the metres walked [1, M] and left [1, M]."""
    walked = torch.zeros(position.shape[1:])
    for _ in range(ticks):
        way = ways.towards(position, goal) - position
        distance = way.norm(dim=0)
        after = ground.confine(position, position + way * (stride / distance.clamp_min(1e-9)).clamp_max(1))
        assert ground.walkable(after).all()
        walked += (after - position).norm(dim=0)
        position = after
    return walked, (goal - position).norm(dim=0)


class Ground(Terrain):
    """Terrain of any cells."""

    def __init__(self, walkable: np.ndarray) -> None:
        self._walkable = torch.from_numpy(np.pad(walkable, 1).T.flatten())


@st.composite
def mazes(draw) -> np.ndarray:
    """[32, 32] random ground of up to 8 x 8 cells, not all of it connected."""
    walkable = np.zeros((32, 32), bool)
    rows = draw(st.lists(st.lists(st.integers(0, 3), min_size=8, max_size=8), min_size=8, max_size=8))
    walkable[10:18, 12:20] = np.array(rows) > 0
    walkable[12, 13] = True
    return walkable


@settings(max_examples=25, deadline=None)
@given(walkable=mazes())
def test_straight_ahead_only_over_walkable_ground(walkable):
    ways, cells = (
        Paths(walkable, torch.device("cpu")),
        [tuple(place) for place in np.argwhere(walkable).tolist()],
    )
    reached = {start: shortest(walkable, start) for start in cells}
    pairs = list(itertools.product(cells, cells))[::7]
    starts, goals = (
        torch.tensor([pair[k] for pair in pairs], dtype=torch.float32).T + 0.5 - CENTRE for k in (0, 1)
    )
    turns = ways.towards(starts, goals)
    for (start, goal), turn in zip(pairs, turns.T, strict=True):
        turn = cell(turn)
        if goal not in reached[start]:
            assert turn == goal
        else:
            assert start == goal or turn != start
            assert clear(walkable, start, turn)


@settings(max_examples=25, deadline=None)
@given(walkable=mazes(), seed=st.integers(0, 2**32 - 1))
def test_every_walker_in_a_maze_arrives_by_a_short_way_without_touching_a_cliff(walkable, seed):
    random, ways, cells = (
        np.random.default_rng(seed),
        Paths(walkable, torch.device("cpu")),
        np.argwhere(walkable),
    )
    start, goal = (cells[random.integers(len(cells), size=60)] for _ in range(2))
    limit = torch.tensor(
        [shortest(walkable, tuple(a)).get(tuple(b), np.inf) for a, b in zip(start, goal, strict=True)]
    )
    position, target = (
        torch.tensor((place + random.random(place.shape)).T, dtype=torch.float32).unsqueeze(1) - CENTRE
        for place in (start, goal)
    )
    walked, left = walk(ways, Ground(walkable), position, target, 0.18, 300)
    reachable = limit.isfinite()
    assert (left[0, reachable] < 1e-3).all()
    assert (walked[0] <= limit + 2**0.5 + 1e-3)[
        reachable
    ].all()  # the way of the cells, from and to within one


@pytest.mark.parametrize("map_name", WINDING)
def test_walkers_reach_every_region_of_the_maps_by_the_shortest_way(map_name):
    walkable, ground = walkable_cells(all_maps()[map_name]), terrain(map_name)
    position, goal = walkers(map_name, 3000, 0), walkers(map_name, 30, 1).repeat(1, 1, 100)
    distances = [shortest(walkable, cell(goal[:, 0, k])) for k in range(30)]
    limit = torch.tensor([distances[k % 30][cell(position[:, 0, k])] for k in range(3000)])
    stride = torch.where(torch.arange(3000) % 2 == 0, SLOWEST, FASTEST)
    walked, left = walk(
        paths(map_name), ground, position, goal, stride, int(1.1 * limit.max() / SLOWEST) + 20
    )
    assert left.max() < 1e-3
    assert (walked[0] <= limit + 2**0.5 + 1e-3).all()
    far = limit > 15
    assert (walked[0] <= 1.1 * limit)[far].all()
    straight = (goal - position).norm(dim=0)
    assert (walked >= straight - 1e-3).all()


def test_the_lings_of_corridor_walk_33_metres():
    walked, left = walk(
        paths("corridor"), terrain("corridor"), point(27.91, 28.24), point(4.47, 4.3298), FASTEST, 300
    )
    assert left.item() < 1e-3
    assert walked.item() == pytest.approx(33.5, rel=0.03)


def test_the_lings_of_the_plateau_go_round_its_ridge():
    ways, position, goal = paths("2c_vs_64zg"), point(16.0, 9.0), point(16.0, 16.0)
    columns = []
    for _ in range(300):
        way = ways.towards(position, goal) - position
        position = position + way * (FASTEST / way.norm().clamp_min(1e-9)).clamp_max(1)
        columns.append(position[0].item() + CENTRE)
    assert (position - goal).norm() < 1e-3
    assert min(columns) < 4 or max(columns) > 28  # the gaps beside the ridge, which spans x = 4..28


def test_one_walks_straight_where_nothing_is_in_the_way():
    for map_name in ("3m", "3s_vs_3z"):
        position, goal = walkers(map_name, 500, 0), walkers(map_name, 500, 1)
        assert paths(map_name).towards(position, goal).equal(goal)


def test_strange_goals_are_met_with_sense():
    ways, position = paths("corridor"), point(5.0, 12.5)
    for goal in (point(FAR, 12.5), point(5.0, FAR), point(5.0, 33.0), point(-2.0, -2.0)):
        assert ways.towards(position, goal).equal(goal)
    dead = torch.full((2, 1, 1), FAR)
    assert ways.towards(dead, position).equal(position)
    assert ways.towards(dead, dead).equal(dead)
    assert ways.towards(position, point(5.0, 14.0)).equal(point(5.0, 14.0))  # into the cliff in front of it
    behind = ways.towards(point(13.5, 20.5), point(5.0, 14.0))  # the cliff's foot is not in sight from here
    assert terrain("corridor").walkable(behind).all()
    assert clear(walkable_cells(all_maps()["corridor"]), (13, 20), cell(behind))


def test_islands_are_walked_to_straight():
    walkable = np.zeros((32, 32), bool)
    walkable[4:8, 4:8] = walkable[20:24, 20:24] = True
    ways = Paths(walkable, torch.device("cpu"))
    assert ways.towards(point(5.0, 5.0), point(21.0, 21.0)).equal(point(21.0, 21.0))


def test_tables_are_built_quickly():
    walkable = walkable_cells(all_maps()["corridor"])
    start = time.process_time()
    Paths(walkable, torch.device("cpu"))
    assert time.process_time() - start < 0.5


def test_lookup_compiles_whole():
    ways, position, goal = paths("corridor"), walkers("corridor", 40, 0), walkers("corridor", 40, 1)
    compiled = torch.compile(ways.towards, fullgraph=True, backend="aot_eager")
    assert compiled(position, goal).equal(ways.towards(position, goal))
