"""The map of Pursuit in tables, so that moving, looking and catching are look-ups for all games at once.

Cells are numbered row by row on the map with a margin around it, wide enough that what a pursuer sees lies on it. One
more cell, `nowhere`, is beside everything: caught evaders are there, they stay there, and nobody sees them.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
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


class Scene(NamedTuple):
    """Where all are, as cells of a `Board`."""

    pursuers: Tensor  # [B, N]
    evaders: Tensor  # [B, E]; `nowhere` where caught


class Catch(NamedTuple):
    """Who was caught, and by whom."""

    caught: Tensor  # [B, E] bool
    catchers: Tensor  # [B, N] bool


class Board:
    """The tables, for B games. C is the number of cells with the margin and `nowhere`; places are cell numbers, int64.

    Attributes:
        nowhere: the last cell.
        x, y: [C] a cell's coordinates on the map; outside of 0 to size - 1 in the margin and for `nowhere`.
        free: [C] bool, whether one can stand there.
    """

    def __init__(
        self, x_size: int, y_size: int, obs_range: int, games: int, device: torch.device | str
    ) -> None:
        """Draw the map for `games` (B) games."""
        self.margin = margin = max(1, obs_range // 2)
        self._shape = height, width = y_size + 2 * margin, x_size + 2 * margin
        self.nowhere = height * width
        here = torch.arange(self.nowhere + 1)
        self.x, self.y = (here % width - margin).to(device), (here // width - margin).to(device)

        def surrounded(inside: Tensor) -> Tensor:
            """[C] bool of [y, x] bool: False in the margin and nowhere."""
            return F.pad(F.pad(inside, [margin] * 4).flatten(), [0, 1])

        free = surrounded(free_cells(x_size, y_size))
        on_map = surrounded(torch.ones(y_size, x_size, dtype=torch.bool))[:, None]
        offsets = torch.tensor([y * width + x for x, y in MOVES])
        next_to = torch.where(on_map, here[:, None] + offsets, here[:, None])  # [C, 5] nobody is off the map
        leads = torch.where(free[next_to], next_to, here[:, None])
        sides = next_to[:, :STAY]  # [C, 4]
        touching = torch.where(on_map[sides, 0], sides, here[:, None])
        closed = ~free
        closed[self.nowhere] = False  # nobody can be surrounded there
        self.free, self._beside, self._leads, self._sides, self._touching = (
            table.to(device) for table in (free, next_to, leads, sides, touching)
        )
        self._closed = closed.repeat(games, 1).to(device)  # [B, C]
        self._no = torch.zeros_like(self._closed)
        planes = F.pad((~free).float()[:, None], [0, 2]).flatten()
        self._planes = planes.repeat(games, 1).to(device)  # [B, 3C] of a map where nobody is
        # what can be seen from all cells of all games in a row, as a view: sizes [cells, y, 3x] and strides
        row, span = 3 * width, 3 * obs_range
        last = self._planes.numel() - (obs_range - 1) * row - span
        self._windows = ((last // 3 + 1, obs_range, span), (3, row, 1))
        corner = (obs_range // 2) * (width + 1)
        self._first = torch.arange(games, device=device)[:, None] * (self.nowhere + 1) - corner  # [B, 1]

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
            order.scatter_(1, self._beside[cell], -1.0)
        return torch.stack(places, 1)

    def move(self, places: Tensor, moves: Tensor) -> Tensor:
        """[B, K] where `moves` lead from `places`; against a wall or off the map they lead nowhere new."""
        return self._leads[places, moves]

    def planes(self, pursuers: Tensor, evaders: Tensor) -> Tensor:
        """[B, C, 3] float32: walls and outside (1), how many pursuers, how many evaders."""
        units = torch.cat((3 * pursuers + PURSUERS, 3 * evaders + EVADERS), 1)
        ones = torch.ones_like(units, dtype=torch.float32)
        return self._planes.scatter_add(1, units, ones).unflatten(1, (-1, 3))

    def look(self, planes: Tensor, pursuers: Tensor) -> Tensor:
        """[B, N, O] the planes around each pursuer, by y, then x, then plane."""
        windows = planes.as_strided(*self._windows)
        return windows.index_select(0, (pursuers + self._first).flatten()).view(*pursuers.shape, -1)

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
        """Evaders of which every side has a pursuer or a wall on it are caught, by all who stand there."""
        sides = self._sides[evaders]  # [B, E, 4]
        taken = self._closed.scatter(1, pursuers, True)
        caught = taken.gather(1, sides.flatten(1)).view(sides.shape).all(-1)
        sides = sides.masked_fill(~caught.unsqueeze(-1), self.nowhere)
        won = self._no.scatter(1, sides.flatten(1), True)
        return Catch(caught, won.gather(1, pursuers))

    def overrun(self, pursuers: Tensor, evaders: Tensor, n_catch: int) -> Catch:
        """Evaders on whose cell there are `n_catch` pursuers are caught, by all who stand there."""
        on_cell = pursuers.unsqueeze(2) == evaders.unsqueeze(1)  # [B, N, E]
        caught = on_cell.sum(1) >= n_catch
        return Catch(caught, (on_cell & caught.unsqueeze(1)).any(-1))
