"""The map of Pursuit in tables, so that moving, looking and catching are look-ups for all games at once.

Cells are numbered row by row on the map with a margin around it, wide enough that what a pursuer sees lies on it. One
more cell, `nowhere`, is beside everything: caught evaders are there, they stay there, and nobody sees them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

MOVES = ((-1, 0), (1, 0), (0, 1), (0, -1), (0, 0))  # (x, y) of the actions, in PettingZoo's order
STAY = 4
_X_FREE, _Y_FREE = 0.3, 0.2  # the share of the map that the wall block leaves free on each side
GROUND, PURSUERS, EVADERS = range(3)  # the planes


def free_cells(x_size: int, y_size: int) -> Tensor:
    """[y, x] bool: where there is no wall. The block stands in the middle of the map."""

    def within(size: int, free: float) -> Tensor:
        return torch.tensor([free < i / size < 1.0 - free for i in range(size)])

    return ~(within(y_size, _Y_FREE)[:, None] & within(x_size, _X_FREE))


class Catch(NamedTuple):
    """Who was caught, and by whom."""

    caught: Tensor  # [B, E] bool
    catchers: Tensor  # [B, N] bool


class Board:
    """The tables. C is the number of cells with the margin and `nowhere`; positions are cell numbers, int64.

    Attributes:
        nowhere: the last cell.
        x, y: [C] a cell's coordinates on the map; outside of 0 to size - 1 in the margin and for `nowhere`.
        free: [C] bool, whether one can stand there.
    """

    def __init__(self, x_size: int, y_size: int, obs_range: int, device: torch.device | str) -> None:
        """Draw the map."""
        self.margin = margin = max(1, obs_range // 2)
        self._shape = (y_size + 2 * margin, x_size + 2 * margin)
        self.nowhere = self._shape[0] * self._shape[1]
        number = torch.arange(self.nowhere).view(self._shape)
        y, x = (
            grid.flatten() - margin for grid in torch.meshgrid(*map(torch.arange, self._shape), indexing="ij")
        )
        outside = torch.tensor([-margin - 1])
        self.x, self.y = (torch.cat((values, outside)).to(device) for values in (x, y))
        free = torch.zeros(self._shape, dtype=torch.bool)
        free[margin:-margin, margin:-margin] = free_cells(x_size, y_size)
        free = torch.cat((free.flatten(), torch.tensor([False])))  # [C]

        def beside(dx: int, dy: int) -> Tensor:
            """[C] the cell next to each; a cell at the margin's edge is beside itself, and so is `nowhere`."""
            rows = torch.arange(self._shape[0]) + dy
            columns = torch.arange(self._shape[1]) + dx
            rows, columns = rows.clamp(0, self._shape[0] - 1), columns.clamp(0, self._shape[1] - 1)
            return torch.cat((number[rows][:, columns].flatten(), torch.tensor([self.nowhere])))

        here = torch.arange(self.nowhere + 1)
        next_to = torch.stack([beside(*move) for move in MOVES], 1)  # [C, 5]
        leads = torch.where(free[next_to], next_to, here[:, None])
        sides = next_to[:, :STAY]  # [C, 4]
        n_free = free[sides].sum(1)
        n_free[self.nowhere] = -1  # nobody can be surrounded there
        on_map = self._on_map(x_size, y_size)
        half = obs_range // 2
        reach = torch.arange(-half, half + 1)
        window = (reach[:, None] * self._shape[1] + reach).flatten()  # [obs_range^2], rows of y
        self.free, self._next, self._sides, self._n_free = (
            table.to(device) for table in (free, leads, sides, n_free)
        )
        self._cross = next_to.to(device)  # [C, 5] a cell and those beside it
        self._touching = torch.where(on_map[sides], sides, here[:, None]).to(device)  # [C, 4]
        self._window = (3 * window[:, None] + torch.arange(3)).flatten().to(device)  # [O]
        planes = torch.zeros((self.nowhere + 1, 3))
        planes[:, GROUND] = (~free).float()
        self._empty = planes.to(device)

    def _on_map(self, x_size: int, y_size: int) -> Tensor:
        x, y = self.x.cpu(), self.y.cpu()
        return (x >= 0) & (x < x_size) & (y >= 0) & (y < y_size)

    def cells(self, x: Tensor, y: Tensor) -> Tensor:
        """The numbers of cells at coordinates on the map."""
        return (y + self.margin) * self._shape[1] + x + self.margin

    def place(self, count: int, allowed: Tensor, generator: torch.Generator) -> Tensor:
        """[B, count] places, one after another uniform over what is `allowed` [B, C] and not next to one before.

        Going through a random order of all cells and taking each that is still possible is the same in distribution.
        """
        order = torch.rand(allowed.shape, generator=generator, device=allowed.device)
        order.masked_fill_(~allowed, -1.0)
        places = []
        for _ in range(count):
            cell = order.argmax(1)  # [B]
            places.append(cell)
            order.scatter_(1, self._cross[cell], -1.0)
        return torch.stack(places, 1)

    def move(self, places: Tensor, moves: Tensor) -> Tensor:
        """[B, K] where `moves` lead from `places`; against a wall or off the map they lead nowhere new."""
        return self._next[places, moves]

    def planes(self, pursuers: Tensor, evaders: Tensor) -> Tensor:
        """[B, C, 3] float32: walls and outside (1), how many pursuers, how many evaders."""
        planes = self._empty.repeat(len(pursuers), 1, 1)
        units = torch.cat((3 * pursuers + PURSUERS, 3 * evaders + EVADERS), 1)
        planes.view(len(planes), -1).scatter_add_(1, units, torch.ones_like(units, dtype=torch.float32))
        return planes

    def look(self, planes: Tensor, pursuers: Tensor) -> Tensor:
        """[B, N, O] the planes around each pursuer, by y, then x, then plane."""
        seen = pursuers.unsqueeze(-1) * 3 + self._window  # [B, N, O]
        return planes.flatten(1).gather(1, seen.flatten(1)).view(seen.shape)

    def overview(self, planes: Tensor) -> Tensor:
        """[B, y * x * 2] how many pursuers and evaders there are in every cell of the map."""
        inner = slice(self.margin, -self.margin)
        return planes[:, :-1].unflatten(1, self._shape)[:, inner, inner, PURSUERS:].flatten(1)

    def touched(self, planes: Tensor, pursuers: Tensor) -> Tensor:
        """[B, N] how many evaders each touches: those on its four sides.

        As in PettingZoo, where a side is off the map its own cell is looked at instead, in a corner twice.
        """
        sides = self._touching[pursuers]  # [B, N, 4]
        return planes[..., EVADERS].gather(1, sides.flatten(1)).view(sides.shape).sum(-1)

    def surround(self, pursuers: Tensor, evaders: Tensor) -> Catch:
        """Evaders of which every side that is free has a pursuer on it are caught, by all who stand there."""
        on_side = pursuers[:, :, None, None] == self._sides[evaders].unsqueeze(1)  # [B, N, E, 4]
        caught = on_side.any(1).sum(-1) == self._n_free[evaders]  # [B, E]
        return Catch(caught, (on_side.any(-1) & caught.unsqueeze(1)).any(-1))

    def overrun(self, pursuers: Tensor, evaders: Tensor, n_catch: int) -> Catch:
        """Evaders on whose cell there are `n_catch` pursuers are caught, by all who stand there."""
        on_cell = pursuers.unsqueeze(2) == evaders.unsqueeze(1)  # [B, N, E]
        caught = on_cell.sum(1) >= n_catch
        return Catch(caught, (on_cell & caught.unsqueeze(1)).any(-1))
