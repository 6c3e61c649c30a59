"""Where the units of a map stand at the start."""

import numpy as np
import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE, MAP_SIZE, Group, MapFacts
from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.sc2_sim.planes import ENERGY, HEALTH, SHIELD, X
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.terrain import Terrain, walkable_cells
from cohort.envs.sc2_sim.units import UNITS, UnitConstants, unit_names

_GAP = 0.05  # metres between neighbours

# The lattice's tangent to the west-east axis. How the game scatters units is unknown. With a slant nobody stands
# straight behind a comrade, and from west to east marines are 0.11 m apart at least, so that half of that in noise
# leaves their numbers alone. Its sign was chosen after seeing which one brings SMAC's own scripted team nearer to its
# published win rates (docs/sc2_sim.md).
_SLANT = -1 / 7


class Spawner:
    """Places all units of a map in full health.

    Attributes:
        start: [P, 1, U] unit planes of every episode, before noise.
    """

    def __init__(
        self,
        facts: MapFacts,
        settings: SC2SimSettings,
        constants: UnitConstants,
        terrain: Terrain,
        planes: int,
    ) -> None:
        device, n_units = constants.health.device, len(constants.health)
        self.n, self.noise, self.terrain = facts.n_agents, settings.reset_noise, terrain
        self.start = torch.zeros(planes, 1, n_units, device=device)
        self.start[:2, 0] = torch.from_numpy(start_positions(facts, settings.enemy_spawn_spacing))
        self.start[HEALTH] = constants.health
        if constants.layered:
            self.start[SHIELD] = constants.shield
        if planes > ENERGY:
            self.start[ENERGY] = constants.energy
        self.lanes = torch.arange(2 * n_units, device=device)
        names = unit_names(facts)[: self.n]
        ranks = [sorted(set(names)).index(name) for name in names]
        self.type_rank = torch.tensor(ranks, device=device) * MAP_SIZE  # more than any difference in x

    def place(self, keys: Tensor) -> Tensor:
        """Unit planes [P, B, U] of new episodes with random streams `keys` [B] ([P, 1, U] without noise)."""
        if not self.noise:
            return self.start
        # Step -1 of the stream: weapons use the steps from 0 on.
        random = uniform(keys, torch.full_like(keys, -1), self.lanes).view(len(keys), 2, -1).transpose(0, 1)
        start = self.start[:2].expand(-1, len(keys), -1)
        position = start + self.noise * (2 * random - 1)
        if self.terrain.rectangular:
            position = torch.clamp(position, self.terrain.low, self.terrain.high)
        else:
            position = self.terrain.confine(start, position)
        # SMAC numbers allies by type, then from west to east.
        order = (position[X, :, : self.n] + self.type_rank).argsort(1)
        allies = position[:, :, : self.n].gather(2, order.expand(2, -1, -1))
        rest = self.start[2:].expand(-1, len(keys), -1)
        return torch.cat((torch.cat((allies, position[:, :, self.n :]), 2), rest))


def start_positions(facts: MapFacts, enemy_spacing: float = 1.0) -> np.ndarray:
    """[2, U] float32 positions relative to the map's centre, allies in agent order, then enemies.

    A group fills a slanted square lattice around its spawn point from the inside out, beginning towards the other army.
    The enemy's lattice is the allies' turned by 180 degrees, so that equal armies start exactly point-symmetric.
    SMAC numbers allies by (type, x, y); enemies keep the order of creation.
    """
    walkable = walkable_cells(facts)
    placed: list[tuple[Group, np.ndarray]] = []
    for group in facts.groups:
        spacing = enemy_spacing if group.side == "enemy" else 1.0
        points = (p for p in _lattice(group, _forward(facts, group.side), spacing) if _stands(p, walkable))
        left = group.count
        while left:
            point = next(points)
            if all(np.hypot(*(point - at)) >= _room(group, other) for other, at in placed):
                placed.append((group, point))
                left -= 1
    allies = sorted((group.unit, *point) for group, point in placed if group.side == "ally")
    enemies = [(group.unit, *point) for group, point in placed if group.side == "enemy"]
    return np.array([point for _, *point in allies + enemies], np.float32).T.copy()


def _lattice(group: Group, forward: np.ndarray, looseness: float) -> list[np.ndarray]:
    """Points around the group's spawn point, nearest first, ties counter-clockwise from `forward`."""
    spacing = (2 * UNITS[group.unit].separation + _GAP) * looseness
    steps = np.arange(-16, 17) * spacing
    offsets = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    offsets = offsets @ (np.array([[1.0, _SLANT], [-_SLANT, 1.0]]) / np.hypot(1.0, _SLANT))
    along = offsets @ forward
    across = offsets @ np.array([-forward[1], forward[0]])
    angle = np.mod(np.arctan2(across, along), 2 * np.pi).round(6)
    order = np.lexsort((angle, np.hypot(*offsets.T).round(6)))
    centre = np.array(group.spawn) - CENTRE
    return [centre + offset for offset in offsets[order]]


def _forward(facts: MapFacts, side: str) -> np.ndarray:
    """Unit vector from the army's spawn points to the other army's."""
    own = np.mean([group.spawn for group in facts.groups if group.side == side], 0)
    other = np.mean([group.spawn for group in facts.groups if group.side != side], 0)
    return (other - own) / np.hypot(*(other - own))


def _stands(point: np.ndarray, walkable: np.ndarray) -> bool:
    x, y = np.floor(point + CENTRE).astype(int)
    return 0 <= x < len(walkable) and 0 <= y < len(walkable) and bool(walkable[x, y])


def _room(group: Group, other: Group) -> float:
    return UNITS[group.unit].separation + UNITS[other.unit].separation
