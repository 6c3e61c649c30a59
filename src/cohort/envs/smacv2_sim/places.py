"""Where units are asked to start: SMACv2's `surrounded_and_reflect`."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE
from cohort.envs.sc2_sim.noise import uniform

# The stream's step that decides the places: weapons use the steps from 0 on, teams use -3.
_PLACE_STEP = -4
_SURROUNDED = 0.5  # share of the episodes in which the team is surrounded
_GAP = 1.0  # metres that reflected units keep from the middle
_OFFSET = 2.0  # metres from the middle in x and in y where a diagonal ends
_WAYS = 4  # diagonals, and at most as many groups


class Asked(NamedTuple):
    """Places as SMACv2's code asks the game for them: many units may be asked for the same point."""

    position: Tensor  # [2, B, U] metres from the map's centre, the team first
    rank: Tensor  # [B, U] int64 how many before this one are asked for the same point
    crowd: Tensor  # [B, U] int64 how many are asked for it


class Places:
    """Half of the episodes each: the team in the middle and groups of enemies on diagonals, or two mirrored halves."""

    def __init__(self, n_agents: int, n_enemies: int, device: torch.device) -> None:
        self._n, self._e = n_agents, n_enemies
        self._diagonals = torch.tensor(
            [[-1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, -1.0]], device=device
        )  # [2, 4]
        self._widths = [2, _WAYS, _WAYS, n_enemies, n_agents, n_agents]
        self._widths += [n_enemies - n_agents, n_enemies - n_agents]
        self._lanes = torch.arange(sum(self._widths), device=device)
        self._before = torch.ones(n_enemies, n_enemies, dtype=torch.bool, device=device).tril(-1)

    def ask(self, keys: Tensor) -> Asked:
        """Places in episodes with random streams `keys` [B]."""
        random = uniform(keys, torch.full_like(keys, _PLACE_STEP), self._lanes)
        choices, distances, order, membership, *halves = random.split(self._widths, 1)
        surrounded = choices[:, :1] >= 1 - _SURROUNDED
        around = self._surround(choices[:, 1:], distances, order, membership)
        position = torch.where(surrounded, around.position, self._reflect(*halves))
        return Asked(position, around.rank * surrounded, around.crowd.where(surrounded, 1))

    def _surround(self, count: Tensor, distances: Tensor, order: Tensor, membership: Tensor) -> Asked:
        """One to four groups, each on a diagonal of its own."""
        groups = (count * _WAYS).floor() + 1  # [B, 1]
        group = (membership * groups).long().sort(1).values  # [B, E], consecutive units
        way = order.argsort(1).gather(1, group)
        share = distances.gather(1, group)
        enemies = self._diagonals[:, way] * (_OFFSET * share + CENTRE * (1 - share))
        team = torch.zeros(2, len(count), self._n, device=count.device)
        same = group.unsqueeze(2) == group.unsqueeze(1)
        first = torch.arange(self._n, device=count.device).expand(len(count), -1)
        rank = torch.cat((first, (same & self._before).sum(2)), 1)
        crowd = torch.cat((torch.full_like(first, self._n), same.sum(2)), 1)
        return Asked(torch.cat((team, enemies), 2), rank, crowd)

    def _reflect(self, x: Tensor, y: Tensor, more_x: Tensor, more_y: Tensor) -> Tensor:
        """Positions [2, B, U]: the team in the western half, as many enemies mirrored, more anywhere in theirs."""
        team = torch.stack((x * (CENTRE - _GAP) - CENTRE, y * 2 * CENTRE - CENTRE))
        mirrored = torch.stack((-team[0], team[1]))
        more = torch.stack((more_x * CENTRE, more_y * 2 * CENTRE - CENTRE))
        return torch.cat((team, mirrored, more), 2)
