"""Walkable ground: what a unit may stand on and what SMAC lets an agent see of it."""

import numpy as np
import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE, MAP_SIZE, MapFacts

CELLS = (MAP_SIZE + 2) ** 2  # of a flat table: the map's cells and a frame one cell wide

# Relative heights; the map files give levels, not metres. The game sends them as bytes.
_HEIGHTS = {".": 0.0, "-": 128 / 255, "/": 191 / 255, "#": 1.0}
_ROW = MAP_SIZE + 2


def walkable_cells(facts: MapFacts) -> np.ndarray:
    """[32, 32] bool, indexed [x, y] with the origin in the lower left corner."""
    return _cells(facts, lambda symbol: symbol != ".").astype(bool)


def _cells(facts: MapFacts, value) -> np.ndarray:
    rows = [[value(symbol) for symbol in row] for row in reversed(facts.terrain)]
    return np.array(rows, np.float32).T


class Terrain:
    """The ground of one map as tensors. Positions are relative to the map's centre.

    Attributes:
        rectangular: whether walkable ground is exactly the rectangle between `low` and `high`.
        low, high: [2, 1, 1] the smallest rectangle around all walkable ground, both ends included.
        air_low, air_high: [2, 1, 1] the whole map, both ends included.
    """

    def __init__(self, facts: MapFacts, device: torch.device) -> None:
        walkable = walkable_cells(facts)
        columns, rows = walkable.any(1).nonzero()[0], walkable.any(0).nonzero()[0]
        first, last = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]])
        self.rectangular = bool(walkable[first[0] : last[0] + 1, first[1] : last[1] + 1].all())
        self.low, self.high = (bound.to(device) for bound in _rectangle(first, last))
        everywhere = _rectangle(np.zeros(2, int), np.full(2, MAP_SIZE - 1))
        self.air_low, self.air_high = (bound.to(device) for bound in everywhere)
        self._walkable = flat_table(walkable, outside=False).to(device)
        self._pathing = flat_table(walkable, outside=True).to(device)
        self._height = flat_table(_cells(facts, _HEIGHTS.__getitem__), outside=1.0).to(device)

    def walkable(self, points: Tensor) -> Tensor:
        """Whether points [2, ...] lie in walkable cells, by SMAC's int() rule; False outside the map."""
        return self._walkable[cell_index(points)]

    def pathing(self, points: Tensor) -> Tensor:
        """SMAC's pathing values of points [2, ...]: as `walkable`, but True outside the map."""
        return self._pathing[cell_index(points)]

    def height(self, points: Tensor) -> Tensor:
        """Heights in 0..1 of points [2, ...], 1 outside the map as in SMAC."""
        return self._height[cell_index(points)]

    def confine(self, before: Tensor, after: Tensor) -> Tensor:
        """Let movements slide along cliffs: the whole move, else its x alone, else its y alone, else none.

        Only where a move ends is looked at, so a long one may skip over what is unwalkable.

        Args:
            before: [2, ...] positions, in walkable cells; those off the map (of the dead) stay where they are.
            after: [2, ...] where they would be on open ground.

        Returns:
            [2, ...] positions in walkable cells.
        """
        (x0, x1), (y0, y1) = _cells_of(torch.stack((before, after), 1))
        candidates = torch.stack((_flat(x1, y1), _flat(x1, y0), _flat(x0, y1)))
        both, only_x, only_y = self._walkable[candidates].unbind(0)
        x = torch.where(both | only_x, after[0], before[0])
        y = torch.where(both | (only_y & ~only_x), after[1], before[1])
        return torch.stack((x, y))


def cell_index(points: Tensor) -> Tensor:
    """Index [...] of the cell of each point [2, ...] in a table of `flat_table`."""
    return _flat(*_cells_of(points).unbind(0))


def flat_table(cells: np.ndarray, outside: bool | int | float) -> Tensor:
    """[CELLS] table of `cells` [32, 32], with a frame one cell wide for everything outside the map."""
    return torch.from_numpy(np.pad(cells, 1, constant_values=outside).T.flatten().copy())


def _cells_of(points: Tensor) -> Tensor:
    """Float columns and rows; `trunc` is Python's int(), which SMAC uses."""
    return (points + CENTRE).trunc_().clamp_(-1, MAP_SIZE)


def _flat(x: Tensor, y: Tensor) -> Tensor:
    return x.add(y, alpha=_ROW).add_(_ROW + 1).long()


def _rectangle(first: np.ndarray, last: np.ndarray) -> tuple[Tensor, Tensor]:
    """Lowest and highest points [2, 1, 1] that lie in the cells from `first` [2] to `last` [2]."""
    low = first.astype(np.float32) - np.float32(CENTRE)
    high = np.nextafter((last + 1).astype(np.float32), np.float32(0)) - np.float32(CENTRE)
    return torch.from_numpy(low).view(2, 1, 1), torch.from_numpy(high).view(2, 1, 1)
