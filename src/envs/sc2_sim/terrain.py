"""Walkable ground: what a unit may stand on and what SMAC lets an agent see of it."""

import numpy as np
import torch
from torch import Tensor

from src.envs.sc2_sim.maps import CENTRE, MAP_SIZE, MapFacts

# Relative heights; the map files give levels, not metres.
_HEIGHTS = {".": 0.0, "-": 0.5, "/": 0.75, "#": 1.0}


def walkable_cells(facts: MapFacts) -> np.ndarray:
    """[32, 32] bool, indexed [x, y] with the origin in the lower left corner."""
    return _cells(facts, lambda symbol: symbol != ".").astype(bool)


def _cells(facts: MapFacts, value) -> np.ndarray:
    rows = [[value(symbol) for symbol in row] for row in reversed(facts.terrain)]
    return np.array(rows, np.float32).T


class Terrain:
    """The ground of one map as tensors. Positions are relative to the map's centre.

    Attributes:
        low, high: [2, 1, 1] the walkable rectangle, both ends included.
    """

    def __init__(self, facts: MapFacts, device: torch.device) -> None:
        walkable = walkable_cells(facts)
        self._walkable = _padded(walkable, outside=False).to(device)
        self._pathing = _padded(walkable, outside=True).to(device)
        self._height = _padded(_cells(facts, _HEIGHTS.__getitem__), outside=1.0).to(device)
        low, high = _rectangle(walkable)
        self.low = torch.from_numpy(low).view(2, 1, 1).to(device)
        self.high = torch.from_numpy(high).view(2, 1, 1).to(device)

    def walkable(self, points: Tensor) -> Tensor:
        """Whether points [2, ...] lie in walkable cells, by SMAC's int() rule; False outside the map."""
        return self._walkable[_cell(points)]

    def pathing(self, points: Tensor) -> Tensor:
        """SMAC's pathing values of points [2, ...]: as `walkable`, but True outside the map."""
        return self._pathing[_cell(points)]

    def height(self, points: Tensor) -> Tensor:
        """Heights in 0..1 of points [2, ...], 1 outside the map as in SMAC."""
        return self._height[_cell(points)]


def _cell(points: Tensor) -> Tensor:
    """Index of each point's cell in a padded table. `trunc` is Python's int(), which SMAC uses."""
    x, y = (points + CENTRE).trunc_().clamp_(-1, MAP_SIZE).unbind(0)
    return x.add(y, alpha=MAP_SIZE + 2).add_(MAP_SIZE + 3).long()


def _padded(cells: np.ndarray, outside: bool | float) -> Tensor:
    """Flat table of the cells, y-major, with a frame one cell wide for everything outside the map."""
    return torch.from_numpy(np.pad(cells, 1, constant_values=outside).T.flatten().copy())


def _rectangle(walkable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    columns, rows = np.nonzero(walkable.any(1))[0], np.nonzero(walkable.any(0))[0]
    if not walkable[columns[0] : columns[-1] + 1, rows[0] : rows[-1] + 1].all():
        raise ValueError("only rectangular ground can be simulated yet")
    low = np.array([columns[0], rows[0]], np.float32) - np.float32(CENTRE)
    end = np.array([columns[-1] + 1, rows[-1] + 1], np.float32)
    return low, np.nextafter(end, np.float32(0)) - np.float32(CENTRE)
