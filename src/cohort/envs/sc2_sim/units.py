"""The unit catalogue, and what a map's units make of it as constant tensors."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import Group, MapFacts

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
    bonus_against: str = ""
    hits: int = 1  # armour counts once per hit
    cooldown: float = 0.0
    range: float = 0.0  # edge to edge
    targets: frozenset[str] = frozenset({"ground"})
    layer: str = "ground"  # which targets this unit belongs to
    rooted: bool = False  # never walks, is never pushed and looks no further than its weapon reaches
    strides: bool = False  # walks over cliffs and over other units
    line: tuple[float, float] = (0.0, 0.0)  # metres that an attack covers across and along its direction
    burst: float = 0.0  # metres around the unit within which its only attack hurts
    health_regeneration: float = 0.0  # per second
    heal_rate: float = 0.0  # health per second given to a biological ally
    follow_speed: float = 0.0  # speed of a healer without patients, 0 for the usual one
    energy: float = 0.0
    max_energy: float = 0.0
    energy_regeneration: float = 0.0  # per second

    @property
    def splashes(self) -> bool:
        """Whether an attack hurts more than its target."""
        return self.burst > 0 or self.line > (0.0, 0.0)

    def damage_to(self, other: "Unit") -> float:
        """Raw damage of one attack (all its hits) on `other`, before armour."""
        bonus = self.bonus if self.bonus_against in other.attributes else 0.0
        return (self.damage + bonus) * self.hits

    def attacks(self, other: "Unit") -> bool:
        """Whether its weapon can be aimed at an enemy like `other`."""
        return other.layer in self.targets

    def heals(self, other: "Unit") -> bool:
        """Whether it can heal a friend like `other`."""
        return self.heal_rate > 0 and other.layer == "ground" and "biological" in other.attributes


_LIGHT_BIO = frozenset({"light", "biological"})
_ARMOURED_BIO = frozenset({"armoured", "biological"})
_ARMOURED_MECH = frozenset({"armoured", "mechanical"})
_ANYTHING = frozenset({"ground", "air"})
_ZERG_REGENERATION = 0.2734
_ALLIED = {"Medivac": {"speed": 2.75}}  # what SMAC gave its own versions of the units

UNITS: dict[str, Unit] = {
    "Marine": Unit(
        health=45, speed=2.25, radius=0.375, separation=0.375, attributes=_LIGHT_BIO, max_cooldown=15,
        damage=6, cooldown=0.8608, range=5, targets=_ANYTHING,
    ),
    "Marauder": Unit(
        health=125, speed=2.25, radius=0.5625, separation=0.5625, attributes=_ARMOURED_BIO, max_cooldown=25,
        armour=1, damage=10, bonus=10, bonus_against="armoured", cooldown=1.5, range=6,
    ),
    "Medivac": Unit(
        health=150, speed=2.5, radius=0.75, separation=0.75, attributes=_ARMOURED_MECH, max_cooldown=200,
        armour=1, range=4, targets=frozenset(), layer="air",
        heal_rate=9, follow_speed=2.25, energy=50, max_energy=200, energy_regeneration=0.5625,
    ),
    "Stalker": Unit(
        health=80, speed=2.9531, radius=0.625, separation=0.625, attributes=_ARMOURED_MECH, max_cooldown=35,
        shield=80, armour=1, damage=13, bonus=5, bonus_against="armoured", cooldown=1.87, range=6,
        targets=_ANYTHING,
    ),
    "Zealot": Unit(
        health=100, speed=2.25, radius=0.5, separation=0.375, attributes=_LIGHT_BIO, max_cooldown=22,
        shield=50, armour=1, damage=8, hits=2, cooldown=1.2, range=0.1,
    ),
    "Colossus": Unit(
        health=200, speed=2.25, radius=1.0, separation=0.75, attributes=_ARMOURED_MECH | {"massive"},
        max_cooldown=24, shield=150, armour=1, damage=10, bonus=5, bonus_against="light", hits=2, cooldown=1.5,
        range=7, line=(2.8, 0.3), strides=True,
    ),
    "Zergling": Unit(
        health=35, speed=2.9531, radius=0.375, separation=0.375, attributes=_LIGHT_BIO, max_cooldown=11,
        damage=5, cooldown=0.696, range=0.1, health_regeneration=_ZERG_REGENERATION,
    ),
    "Baneling": Unit(
        health=30, speed=2.5, radius=0.375, separation=0.375, attributes=frozenset({"biological"}),
        max_cooldown=1, damage=20, bonus=15, bonus_against="light", cooldown=0.8332, range=0.25, burst=2.2,
        health_regeneration=_ZERG_REGENERATION,
    ),
    "Hydralisk": Unit(
        health=80, speed=2.25, radius=0.625, separation=0.625, attributes=_LIGHT_BIO, max_cooldown=10,
        damage=12, cooldown=0.825, range=5, targets=_ANYTHING, health_regeneration=_ZERG_REGENERATION,
    ),
    "SpineCrawler": Unit(
        health=300, speed=0, radius=1.125, separation=1.125, attributes=_ARMOURED_BIO | {"structure"},
        max_cooldown=1, armour=2, damage=25, bonus=5, bonus_against="armoured", cooldown=1.85, range=7,
        rooted=True, health_regeneration=_ZERG_REGENERATION,
    ),
}  # fmt: skip


def unit_names(facts: MapFacts) -> list[str]:
    """Catalogue names of the map's U units: allies in agent order (SMAC sorts by type), then enemies."""
    allies = sorted(name for group in facts.groups if group.side == "ally" for name in _members(group))
    return allies + [name for group in facts.groups if group.side == "enemy" for name in _members(group)]


def _members(group: Group) -> list[str]:
    return [group.unit] * group.count


def map_units(facts: MapFacts) -> list[Unit]:
    """The map's U units in the order of `unit_names`."""
    names = unit_names(facts)
    allies = [replace(UNITS[name], **_ALLIED.get(name, {})) for name in names[: facts.n_agents]]
    return allies + [UNITS[name] for name in names[facts.n_agents :]]


@dataclass(frozen=True)
class UnitConstants:
    """What never changes during a battle; U units, allies first. Times are in ticks.

    Attributes:
        units: the catalogue's entries, length U.
        health, shield, armour, energy: [U] at the start.
        stride: [U] metres per tick.
        cooldown: [U] ticks between attacks, before jitter.
        max_cooldown: [U] divisor of the cooldown in the state.
        radius, reach: [U] own radius, and weapon range plus own radius (edge to centre).
        affects: [U, U] whether unit i can act on j: attack or heal it.
        duel: [3, U * U] squared reach, raw damage and hits of unit i acting on unit j at i * U + j; the reach is
            -1 (never) where it cannot.
        type_bits: [U, unit_type_bits] float one-hot.
        layered: whether damage must pass shields or armour.
    """

    units: tuple[Unit, ...]
    health: Tensor
    shield: Tensor
    armour: Tensor
    energy: Tensor
    stride: Tensor
    cooldown: Tensor
    max_cooldown: Tensor
    radius: Tensor
    reach: Tensor
    affects: Tensor
    duel: Tensor
    type_bits: Tensor
    layered: bool


def unit_constants(facts: MapFacts, swap_enemy_types: bool, device: torch.device) -> UnitConstants:
    """Tabulate the catalogue for one map's units."""
    units, sides = map_units(facts), [i < facts.n_agents for i in range(facts.n_agents + facts.n_enemies)]

    def each(value) -> Tensor:
        return torch.tensor([float(value(unit)) for unit in units], device=device)

    def pairs(value) -> Tensor:
        return torch.tensor([[float(value(a, b)) for b in units] for a in units], device=device)

    same_side = torch.tensor([[a == b for b in sides] for a in sides], device=device)
    affects = torch.where(same_side, pairs(Unit.heals), pairs(Unit.attacks)).bool().fill_diagonal_(False)
    reach2 = pairs(lambda a, b: (a.range + a.radius + b.radius) ** 2).masked_fill_(~affects, -1.0)
    return UnitConstants(
        units=tuple(units),
        health=each(lambda unit: unit.health),
        shield=each(lambda unit: unit.shield),
        armour=each(lambda unit: unit.armour),
        energy=each(lambda unit: unit.energy),
        stride=each(lambda unit: unit.speed / TICKS_PER_SECOND),
        cooldown=each(lambda unit: unit.cooldown * TICKS_PER_SECOND),
        max_cooldown=each(lambda unit: unit.max_cooldown),
        radius=each(lambda unit: unit.radius),
        reach=each(lambda unit: unit.range + unit.radius),
        affects=affects,
        duel=torch.stack((reach2, pairs(Unit.damage_to), pairs(lambda a, b: a.hits))).flatten(1),
        type_bits=torch.from_numpy(_type_bits(facts, swap_enemy_types)).to(device),
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
