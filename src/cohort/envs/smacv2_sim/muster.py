"""Units of drawn types at drawn places, next to each other where they were asked for the same point."""

import math

import torch
from torch import Tensor

from cohort.envs.sc2_sim.collision import Collision
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.planes import ENERGY, HEALTH, SHIELD, X, Y
from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.smacv2_sim.places import Places
from cohort.envs.smacv2_sim.tasks import Race
from cohort.envs.smacv2_sim.teams import Teams

_SPREAD = 0.7  # metres between neighbours around one point, before they push each other apart
_NUDGE = 0.005  # metres by which units differ at least
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_PUSHES = 24  # ticks' worth of pushing until everybody stands


class Muster:
    """Places all units of an episode in full health.

    The game finds a free place near the point that a unit is asked for, in a way that is unknown. Here those of one
    point stand in a spiral around it, everybody pushes everybody else apart, and who would stand on the border is
    moved to the nearest place where one can walk.

    Attributes:
        start: [P, 1, U] unit planes before the first episode.
        noise: that starts differ.
    """

    noise = True

    def __init__(self, race: Race, facts: MapFacts, constants: UnitConstants, terrain: Terrain) -> None:
        """`constants` are the roster's, whose columns kinds number: the team's types, then the enemy's."""
        self._n, self._roster, self._terrain = facts.n_agents, constants, terrain
        device = constants.health.device
        self._teams = Teams(race, facts.n_agents, facts.n_enemies, device)
        self._places = Places(facts.n_agents, facts.n_enemies, device)
        self._ranks, self._n_types = torch.tensor(race.ranks, device=device), len(race.kinds)
        self.start = torch.zeros(constants.planes, 1, facts.n_agents + facts.n_enemies, device=device)

    def kinds(self, keys: Tensor) -> Tensor:
        """[B, U] int64 columns of the roster in episodes with random streams `keys` [B], agents in their order."""
        return self._in_order(self._asked_kinds(keys))

    def place(self, keys: Tensor) -> Tensor:
        """Unit planes [P, B, U] of new episodes with random streams `keys` [B]."""
        asked = self._asked_kinds(keys)
        position = self._stand(keys, asked)
        # SMACv2 numbers agents by type, then from west to east, then from south to north
        order = position[Y, :, : self._n].argsort(dim=1, stable=True)
        for key in (position[X, :, : self._n], self._ranks[asked[:, : self._n]]):
            order = order.gather(1, key.gather(1, order).argsort(dim=1, stable=True))
        team = position[:, :, : self._n].gather(2, order.expand(2, -1, -1))
        units = self.start.repeat(1, len(keys), 1)
        units[:2] = torch.cat((team, position[:, :, self._n :]), 2)
        kinds = self._in_order(asked)
        units[HEALTH] = self._roster.health[kinds]
        if len(units) > SHIELD:
            units[SHIELD] = self._roster.shield[kinds]
        if len(units) > ENERGY:
            units[ENERGY] = self._roster.energy[kinds]
        return units

    def _asked_kinds(self, keys: Tensor) -> Tensor:
        """[B, U] in the order in which SMACv2 asks for them."""
        types = self._teams.types(keys)
        return torch.cat((types[:, : self._n], types + self._n_types), 1)

    def _in_order(self, asked: Tensor) -> Tensor:
        """[B, U] columns of the roster, asked for in SMACv2's order, with agents in theirs."""
        team = asked[:, : self._n]
        order = self._ranks[team].argsort(dim=1, stable=True)
        return torch.cat((team.gather(1, order), asked[:, self._n :]), 1)

    def _stand(self, keys: Tensor, asked: Tensor) -> Tensor:
        """[2, B, U] where units of the kinds `asked` [B, U] stand, in the order in which SMACv2 asks for them."""
        point, rank, crowd = self._places.ask(keys)
        collision = Collision(self._roster.cast(asked), self._terrain)
        room = _SPREAD * (crowd - 1).sqrt()  # of the spiral
        point = point.clamp(collision.low + room, collision.high - room)
        position = point + _spiral(_SPREAD * rank.sqrt(), rank)
        # towards the middle, since pushing does not part two who were moved into the same corner
        unit = torch.arange(position.shape[2], device=position.device).unsqueeze(0)
        position = position - position.sign() * _spiral(_NUDGE * unit, unit).abs()
        for tick in range(_PUSHES):
            position = collision.settle(position, position, turned=tick % 2 == 0)
        return position


def _spiral(away: Tensor, number: Tensor) -> Tensor:
    """[2, ...] vectors of length `away`, each turned from the last number's so that they never crowd."""
    angle = _GOLDEN_ANGLE * number
    return torch.stack((away * angle.cos(), away * angle.sin()))
