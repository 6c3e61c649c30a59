"""The unit catalogue, and what a map's units make of it as constant tensors."""

import json
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np
import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import Group, MapFacts
from cohort.envs.sc2_sim.planes import COOLDOWN, ENERGY, UNHURT

TICKS_PER_SECOND = 16  # StarCraft II's game loops per normal second


@dataclass(frozen=True)
class Unit:
    """One type of unit, in metres and normal seconds (not "Faster" ones)."""

    health: float
    speed: float
    radius: float  # of weapons' reach
    separation: float  # radius within which ground units push each other apart
    attributes: frozenset[str]
    max_cooldown: float  # game loops by which SMAC divides the cooldown in the state
    shield: float = 0.0
    armour: float = 0.0
    damage: float = 0.0
    bonus: float = 0.0
    bonus_against: str | None = None
    hits: int = 1  # armour counts once per hit
    hit_interval: float = 0.0  # seconds between two hits of one attack
    cooldown: float = 0.0
    damage_point: float = 0.0  # seconds from taking aim to the shot
    backswing: float = 0.0  # seconds after the shot for which nobody walks who attacks of its own accord
    range: float = 0.0  # edge to edge
    slop: float = 0.0  # metres by which a target may leave the range once it is aimed at
    missile_speed: float | None = None  # metres per second; None: the shot arrives at once
    delay: float = 0.0  # seconds from the shot to its effect, beside the missile's flight
    targets: frozenset[str] = frozenset({"ground"})
    layer: str = "ground"  # which targets this unit belongs to
    strides: bool = False  # walks over cliffs and over other units
    line: tuple[float, float] = (0.0, 0.0)  # metres that an attack covers across and along its direction
    burst: float = 0.0  # metres around the unit within which its only attack hurts
    health_regeneration: float = 0.0  # per second
    heal_rate: float = 0.0  # health per second given to a biological ally
    acceleration: float = 1000.0  # metres per second squared
    energy: float = 0.0
    max_energy: float = 0.0
    energy_regeneration: float = 0.0  # per second

    @property
    def rooted(self) -> bool:
        """Whether it never walks, is never pushed and looks no further than its weapon reaches."""
        return self.speed == 0

    def damage_to(self, other: "Unit") -> float:
        """Raw damage of one attack (all its hits) on `other`, before armour."""
        bonus = self.bonus if self.bonus_against in other.attributes else 0.0
        return (self.damage + bonus) * self.hits

    def attacks(self, other: "Unit") -> bool:
        """Whether its weapon can be aimed at an enemy like `other`."""
        return other.layer in self.targets

    def heals(self, other: "Unit") -> bool:
        """Whether it can heal a friend like `other`."""
        return self.heal_rate > 0 and other.layer == "ground" and "Biological" in other.attributes


_ANYTHING = frozenset({"ground", "air"})

# What the game's data file says in words, or leaves to its map files and to SMAC: the divisor of the cooldown in SMAC's
# state, whom a weapon can hit, and the shapes of what hurts more than its target.
_MORE: dict[str, dict] = {
    "Marine": {"max_cooldown": 15, "targets": _ANYTHING},
    "Marauder": {"max_cooldown": 25},
    "Medivac": {"max_cooldown": 200, "targets": frozenset(), "layer": "air", "range": 4, "heal_rate": 9},
    "Stalker": {"max_cooldown": 35, "targets": _ANYTHING},
    "Zealot": {"max_cooldown": 22, "hit_interval": 0.28},
    "Colossus": {"max_cooldown": 24, "strides": True, "line": (2.8, 0.3), "delay": 0.375},
    "Zergling": {"max_cooldown": 11},
    "Baneling": {"max_cooldown": 1, "burst": 2.2},
    "Hydralisk": {"max_cooldown": 10, "targets": _ANYTHING},
    # its tentacle starts with 12 m/s, gains 140 m/s2 and is out for 0.24 s at full range
    "SpineCrawler": {"max_cooldown": 1, "missile_speed": 29.0},
}  # fmt: skip


def _catalogue() -> dict[str, Unit]:
    """Every unit by name, from `units.json`.

    That file holds the game data of Core.SC2Mod and Liberty.SC2Mod at build 4.10.0.75689: SMAC's maps depend on
    "Liberty (Mod)" alone, so the multiplayer balance that other simulators use does not apply to them.
    """
    data = json.loads(resources.files(__package__).joinpath("units.json").read_text(encoding="utf-8"))
    return {name: _unit(entry, _MORE[name]) for name, entry in data["units"].items()}


def _unit(entry: dict, more: dict) -> Unit:
    weapon = entry.get("weapon")
    armed = {
        "damage": weapon["damage"],
        "bonus": weapon["bonus"],
        "bonus_against": weapon["bonus_against"],
        "hits": weapon["hits"],
        "cooldown": weapon["period_s"],
        "damage_point": weapon["damage_point_s"],
        "backswing": weapon["backswing_s"],
        "range": weapon["range"],
        "slop": weapon["range_slop"],
        "missile_speed": weapon["missile_speed"],
    } if weapon else {}  # fmt: skip
    return Unit(
        health=entry["health"],
        speed=entry["speed"],
        radius=entry["radius"],
        separation=entry["separation_radius"],
        attributes=frozenset(entry["attributes"]),
        shield=entry["shield"],
        armour=entry["armour"],
        acceleration=entry.get("acceleration", 1000.0),
        health_regeneration=entry["health_regen"],
        energy=entry.get("energy", 0.0),
        max_energy=entry.get("max_energy", 0.0),
        energy_regeneration=entry.get("energy_regen", 0.0),
        **(armed | more),
    )


UNITS: dict[str, Unit] = _catalogue()


def unit_names(facts: MapFacts) -> list[str]:
    """Catalogue names of the map's U units: allies in agent order (SMAC sorts by type), then enemies."""
    allies = sorted(name for group in facts.groups if group.side == "ally" for name in _members(group))
    return allies + [name for group in facts.groups if group.side == "enemy" for name in _members(group)]


def _members(group: Group) -> list[str]:
    return [group.unit] * group.count


def map_units(facts: MapFacts) -> list[Unit]:
    """The map's U units in the order of `unit_names`."""
    return [UNITS[name] for name in unit_names(facts)]


@dataclass(frozen=True)
class UnitConstants:
    """What never changes during a battle; U units, allies first. Times are in ticks.

    Where teams are drawn anew for every episode, each table has a dimension B in front: see `cast`.

    Attributes:
        units: the catalogue's entries, length U; where teams are drawn, all that may come up.
        health, shield, armour, energy: [U] at the start.
        stride: [U] metres per tick.
        separation: [U] radius within which ground units push each other apart.
        cooldown: [U] ticks between attacks, before jitter.
        damage_point, backswing: [U] ticks from taking aim to the shot, and of standing still after it.
        lag: [U] ticks from the shot to its effect, beside the flight.
        second_hit: [U] ticks from the first hit of an attack to its second, 0 where there is none.
        slowness: [U] ticks that the shot flies for each metre.
        max_cooldown: [U] divisor of the cooldown in the state.
        radius, reach: [U] own radius, and weapon range plus own radius (edge to centre).
        burst: [U] metres around the unit within which its only attack hurts, 0 where it aims.
        regeneration: [U] health per second.
        dose, thrust: [U] health per tick that it heals, and metres per tick that it gains in a tick.
        full_energy, recovery: [U] the most energy, and energy per tick.
        medic, armed, air, strides, rooted, sweeps: [U] bool whether it heals, has a weapon, flies, walks over cliffs,
            never moves, and hurts whoever stands in a line.
        affects: [U, U] whether unit i can act on j: attack or heal it.
        duel: [4, U, U] squared reach, squared reach once it aims, raw damage and hits of unit i acting on unit j;
            the reaches are -1 (never) where it cannot.
        type_bits: [U, unit_type_bits] float one-hot.
        layered: whether damage must pass shields or armour.
    """

    units: tuple[Unit, ...]
    health: Tensor
    shield: Tensor
    armour: Tensor
    energy: Tensor
    stride: Tensor
    separation: Tensor
    cooldown: Tensor
    damage_point: Tensor
    backswing: Tensor
    lag: Tensor
    second_hit: Tensor
    slowness: Tensor
    max_cooldown: Tensor
    radius: Tensor
    reach: Tensor
    burst: Tensor
    regeneration: Tensor
    dose: Tensor
    thrust: Tensor
    full_energy: Tensor
    recovery: Tensor
    medic: Tensor
    armed: Tensor
    air: Tensor
    strides: Tensor
    rooted: Tensor
    sweeps: Tensor
    affects: Tensor
    duel: Tensor
    type_bits: Tensor
    layered: bool

    @property
    def n_units(self) -> int:
        """U."""
        return self.health.shape[-1]

    @property
    def planes(self) -> int:
        """P, of the unit tensor: what the battle needs to know of every unit."""
        healing = any(unit.heal_rate for unit in self.units)
        return ENERGY + 1 if healing else UNHURT + 1 if self.layered else COOLDOWN + 1

    def cast(self, kinds: Tensor) -> "UnitConstants":
        """The tables of B battles in which unit u of battle b is column `kinds[b, u]` of these: [B, U] int64."""
        flat, pairs = kinds.flatten(), (kinds.unsqueeze(2) * self.n_units + kinds.unsqueeze(1)).flatten()
        square = (*kinds.shape, kinds.shape[1])

        def picked(name: str, table: Tensor) -> Tensor:
            if name == "type_bits":
                return table[kinds]
            if name in ("affects", "duel"):
                return table.flatten(-2).index_select(-1, pairs).unflatten(-1, square)
            return table.index_select(-1, flat).view(kinds.shape)

        tables = {
            name: picked(name, table) for name, table in vars(self).items() if isinstance(table, Tensor)
        }
        return replace(self, **tables)

    def who(self, mask: Tensor) -> Tensor:
        """Numbers of the units of `mask` [U] bool; where teams are drawn, [B, U], any unit may be one."""
        if mask.dim() > 1:
            return torch.arange(self.n_units, device=mask.device)
        return mask.nonzero().flatten()


def unit_constants(facts: MapFacts, swap_enemy_types: bool, device: torch.device) -> UnitConstants:
    """Tabulate the catalogue for one map's units."""
    bits = torch.from_numpy(_type_bits(facts, swap_enemy_types)).to(device)
    return tabulate(map_units(facts), facts.n_agents, bits)


def tabulate(units: list[Unit], n_allies: int, type_bits: Tensor) -> UnitConstants:
    """Tabulate units, the allies first; `type_bits` [U, bits] are what observations and states say of them."""
    device, sides = type_bits.device, [i < n_allies for i in range(len(units))]

    def each(value) -> Tensor:
        return torch.tensor([float(value(unit)) for unit in units], device=device)

    def true(value) -> Tensor:
        return torch.tensor([bool(value(unit)) for unit in units], device=device)

    def pairs(value) -> Tensor:
        return torch.tensor([[float(value(a, b)) for b in units] for a in units], device=device)

    same_side = torch.tensor([[a == b for b in sides] for a in sides], device=device)
    affects = torch.where(same_side, pairs(Unit.heals), pairs(Unit.attacks)).bool().fill_diagonal_(False)
    reach2 = pairs(lambda a, b: (a.range + a.radius + b.radius) ** 2).masked_fill_(~affects, -1.0)
    hold2 = pairs(lambda a, b: (a.range + a.slop + a.radius + b.radius) ** 2).masked_fill_(~affects, -1.0)
    return UnitConstants(
        units=tuple(units),
        health=each(lambda unit: unit.health),
        shield=each(lambda unit: unit.shield),
        armour=each(lambda unit: unit.armour),
        energy=each(lambda unit: unit.energy),
        stride=each(lambda unit: unit.speed / TICKS_PER_SECOND),
        separation=each(lambda unit: unit.separation),
        cooldown=each(lambda unit: unit.cooldown * TICKS_PER_SECOND),
        damage_point=each(lambda unit: unit.damage_point * TICKS_PER_SECOND),
        backswing=each(lambda unit: unit.backswing * TICKS_PER_SECOND),
        lag=each(lambda unit: unit.delay * TICKS_PER_SECOND),
        second_hit=each(lambda unit: unit.hit_interval * TICKS_PER_SECOND),
        slowness=each(lambda unit: TICKS_PER_SECOND / unit.missile_speed if unit.missile_speed else 0.0),
        max_cooldown=each(lambda unit: unit.max_cooldown),
        radius=each(lambda unit: unit.radius),
        reach=each(lambda unit: unit.range + unit.radius),
        burst=each(lambda unit: unit.burst),
        regeneration=each(lambda unit: unit.health_regeneration),
        dose=each(lambda unit: unit.heal_rate / TICKS_PER_SECOND),
        thrust=each(lambda unit: unit.acceleration / TICKS_PER_SECOND**2),
        full_energy=each(lambda unit: unit.max_energy),
        recovery=each(lambda unit: unit.energy_regeneration / TICKS_PER_SECOND),
        medic=true(lambda unit: unit.heal_rate),
        armed=true(lambda unit: unit.damage),
        air=true(lambda unit: unit.layer == "air"),
        strides=true(lambda unit: unit.strides),
        rooted=true(lambda unit: unit.rooted),
        sweeps=true(lambda unit: unit.line[0]),
        affects=affects,
        duel=torch.stack((reach2, hold2, pairs(Unit.damage_to), pairs(lambda a, b: a.hits))),
        type_bits=type_bits,
        layered=any(unit.shield or unit.armour for unit in units),
    )


def _type_bits(facts: MapFacts, swap_enemy_types: bool) -> np.ndarray:
    names = unit_names(facts)
    bits = np.zeros((len(names), facts.unit_type_bits), np.float32)
    if not facts.unit_type_bits:
        return bits
    kinds = sorted(set(names))
    for index, name in enumerate(names):
        kind = kinds.index(name)
        if index >= facts.n_agents and swap_enemy_types and facts.map_type == "stalkers_and_zealots":
            kind = len(kinds) - 1 - kind  # SMAC numbers these enemies the other way round
        bits[index, kind] = 1.0
    return bits
