"""Shortest ways over walkable ground, tabulated once per map."""

import numpy as np
import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE
from cohort.envs.sc2_sim.terrain import cell_index, flat_table

_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))


class Paths:
    """Where to walk next on the shortest way to a goal.

    A way is a chain of turning points, centres of cells, each in sight of the one before. One cell sees another if
    every straight line between them runs over walkable cells, so whoever walks towards the next turning point
    touches no cliff, wherever in its cell it stands. In every cell it enters the rest of the way is shorter than
    in the last one, so nobody walks in circles.
    """

    def __init__(self, walkable: np.ndarray, device: torch.device) -> None:
        """Tabulate the ways over `walkable` [32, 32] bool, indexed [x, y]."""
        cells = np.argwhere(walkable)
        self._n = len(cells)
        turns = np.pad(_turns(walkable, cells), (0, 1), constant_values=self._n)
        self._turns = torch.from_numpy(turns.astype(np.int16).flatten()).to(device)
        self._nearest = flat_table(_nearest(walkable, cells), outside=self._n).to(device)
        centres = np.pad(cells.T + 0.5 - CENTRE, ((0, 0), (0, 1)))
        self._centres = torch.from_numpy(centres.astype(np.float32)).to(device)

    def towards(self, position: Tensor, goal: Tensor) -> Tensor:
        """Points [2, ...] to walk to, straight, from `position` [2, ...] for `goal` [2, ...]; all centre-relative.

        That is the goal itself once it is in sight, and also where nothing leads to it or where one of both is off
        the map. The way to a goal on unwalkable ground is the way to the walkable cell nearest to it.
        """
        here, there = self._nearest[cell_index(torch.stack((position, goal), 1))].unbind(0)
        turn = self._turns[here * (self._n + 1) + there].long()
        return torch.where(turn == self._n, goal, self._centres[:, turn])


def _nearest(walkable: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """[32, 32] index into `cells` of the walkable cell nearest to each cell: itself if it is walkable."""
    everywhere = np.indices(walkable.shape).reshape(2, -1, 1)
    distance2 = ((everywhere - cells.T[:, None]) ** 2).sum(0)
    return distance2.argmin(1).reshape(walkable.shape)


def _turns(walkable: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """[n, n] index of the turning point from each cell to each goal's cell; n for the goal itself."""
    n, neighbours = len(cells), _neighbours(walkable, cells)
    length = np.hypot(*(cells.T[:, :, None] - cells.T[:, None])).astype(np.float32)
    length[~_sees(walkable, cells)] = np.inf
    corners = _corners(walkable, cells)
    rest = _distances(length, corners)
    shortens = _shortens(rest, neighbours)
    every = np.arange(n)

    turns = np.full((n, n), n, np.int16)
    x, y = np.sign(cells.T[:, None] - cells.T[:, :, None])
    best = np.where(shortens[x, y, every[:, None], every], length, np.inf)

    def offer(index: np.ndarray, way: np.ndarray) -> None:
        """Turn at cell `index` [n] where that makes a shorter `way` [n, n] and none of its cells a detour."""
        x, y = np.sign(cells[index] - cells).T
        better = (way < best) & shortens[x, y, every]
        np.copyto(turns, index[:, None], where=better, casting="same_kind")
        np.copyto(best, way, where=better)

    for corner in corners:
        offer(np.full(n, corner), length[:, corner, None] + rest[corner])
    for x, y in _SIDES:  # a step to the side, where every longer one might lead through a detour
        offer(np.minimum(neighbours[x, y], n - 1), 1 + _padded(rest)[neighbours[x, y]])
    return turns


def _neighbours(walkable: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """[3, 3, n] index of each cell's neighbour at an offset of -1, 0 or 1 in x and in y, n if it is unwalkable."""
    index = np.full(np.add(walkable.shape, 2), len(cells))
    index[tuple(cells.T + 1)] = np.arange(len(cells))
    x, y = cells.T + 1
    return np.array([[index[x + i, y + j] for j in (0, 1, -1)] for i in (0, 1, -1)])


def _corners(walkable: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Indices of the cells diagonal to a cliff's corner: shortest ways turn nowhere else."""
    blocked = ~np.pad(walkable, 1)
    x, y = cells.T + 1
    corner = np.zeros(len(cells), bool)
    for i, j in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        corner |= blocked[x + i, y + j] & ~blocked[x + i, y] & ~blocked[x, y + j]
    return corner.nonzero()[0]


def _sees(walkable: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """[n, n] whether all straight lines between two cells run over walkable cells."""
    n, size = len(cells), len(walkable)
    above = np.pad(np.cumsum(~walkable, 1, np.int32), ((0, 0), (1, 0)))  # unwalkable cells below each row
    first, second = np.triu_indices(n, 1)  # `cells` is sorted by x, so the second is never further west
    (x0, y0), (x1, y1) = cells[first].T.astype(np.int32), cells[second].T.astype(np.int32)
    clear = np.ones(len(first), bool)
    for column in range(size):
        pair = ((x0 <= column) & (column <= x1) & clear).nonzero()[0]
        west, south = x0[pair], y0[pair]
        run, rise = np.maximum(x1[pair] - west, 1), y1[pair] - south
        # A square sliding from one cell to the other overlaps the column in this part of its way.
        enters, leaves = rise * np.maximum(column - 1 - west, 0), rise * np.minimum(column + 1 - west, run)
        low = south + np.minimum(enters, leaves) // run
        high = south + 1 - np.maximum(enters, leaves) // -run
        clear[pair] = above[column, high] == above[column, low]
    sees = np.eye(n, dtype=bool)
    sees[first, second] = sees[second, first] = clear
    return sees


def _distances(length: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[n, n] shortest ways, given the lengths of the lines of sight; infinite where there is none."""
    between = length[np.ix_(corners, corners)]
    for k in range(len(corners)):
        np.minimum(between, between[:, k, None] + between[k], out=between)
    onward = length[corners]
    for k, corner in enumerate(corners):
        np.minimum(onward, between[:, k, None] + length[corner], out=onward)
    rest = length.copy()
    for k, corner in enumerate(corners):
        np.minimum(rest, length[:, corner, None] + onward[k], out=rest)
    return rest


def _shortens(rest: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """[3, 3, n, n] whether leaving a cell in a direction shortens the rest of the way to each goal.

    The direction is one of eight, given by the signs of x and y. Whoever leaves diagonally may touch both
    neighbours at the sides first.
    """
    padded = _padded(rest)
    less = np.array([[padded[cells] < rest for cells in row] for row in neighbours])
    for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        less[x, y] &= less[x, 0] & less[0, y]
    less[0, 0] = np.eye(len(rest), dtype=bool)
    return less


def _padded(rest: np.ndarray) -> np.ndarray:
    """`rest` with a row of infinity for the unwalkable neighbour n."""
    return np.pad(rest, ((0, 1), (0, 0)), constant_values=np.inf)
