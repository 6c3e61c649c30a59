"""Facts of the 23 SMAC maps, read from `maps.json` into typed records."""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from cohort.registry import known

MAP_SIZE = 32  # every map is 32 x 32 metres
CENTRE = (
    MAP_SIZE / 2
)  # positions are kept relative to it, so that mirrored battles stay mirrored in floating point

_PLURALS = {"Colossus": "colossi"}


@dataclass(frozen=True)
class Group:
    """Units of one type that appear around one point."""

    side: str  # "ally" or "enemy"
    unit: str  # name in the unit catalogue
    count: int
    spawn: tuple[float, float]  # metres, origin in the lower left corner


@dataclass(frozen=True)
class MapFacts:
    """What a map fixes: armies, ground, time limit and the order the enemy gets at the start."""

    name: str
    episode_limit: int
    n_agents: int
    n_enemies: int
    unit_type_bits: int
    map_type: str
    ally_race: str
    enemy_race: str
    groups: tuple[Group, ...]
    # "attack_move" to the goal, "attack_units": the nearest ally, "attack_unit": the same until it is dead, or "none"
    enemy_order: str
    enemy_goals: (
        tuple[tuple[float, float], tuple[float, float]] | None
    )  # ends of the segment it is drawn from
    terrain: tuple[str, ...]  # 32 rows, the first is the northernmost
    terrain_name: str

    @property
    def shield_bits_ally(self) -> int:
        """1 if allies have shields, else 0: SMAC's feature widths are counted with it."""
        return int(self.ally_race == "P")

    @property
    def shield_bits_enemy(self) -> int:
        """1 if enemies have shields, else 0."""
        return int(self.enemy_race == "P")


@cache
def all_maps() -> dict[str, MapFacts]:
    """Every map by name."""
    data = json.loads(resources.files(__package__).joinpath("maps.json").read_text(encoding="utf-8"))
    return {name: _facts(name, entry, data["terrains"]) for name, entry in sorted(data["maps"].items())}


def check_map_name(name: str) -> str:
    """`name`, if there is such a map. Raises `ValueError` as `known`."""
    return known(name, "map", all_maps(), "SMAC's maps")


def describe_maps() -> dict[str, str]:
    """One sentence about each map."""
    return {name: _sentence(facts) for name, facts in all_maps().items()}


def _sentence(facts: MapFacts) -> str:
    sides = [_army(facts, "ally"), _army(facts, "enemy")]
    return f"{sides[0]} against {sides[1]}, at most {facts.episode_limit} steps."


def _army(facts: MapFacts, side: str) -> str:
    counts: dict[str, int] = {}
    for group in facts.groups:
        if group.side == side:
            counts[group.unit] = counts.get(group.unit, 0) + group.count
    names = [f"{count} {_plural(unit) if count > 1 else _spaced(unit)}" for unit, count in counts.items()]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _plural(unit: str) -> str:
    return _PLURALS.get(unit, _spaced(unit) + "s")


def _spaced(unit: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unit).lower()


def _facts(name: str, entry: dict, terrains: dict[str, list[str]]) -> MapFacts:
    order = entry["enemy_order"]
    groups = tuple(Group(g["side"], g["unit"], g["count"], tuple(g["spawn"])) for g in entry["groups"])
    return MapFacts(
        name=name,
        episode_limit=entry["episode_limit"],
        n_agents=entry["n_agents"],
        n_enemies=entry["n_enemies"],
        unit_type_bits=entry["unit_type_bits"],
        map_type=entry["map_type"],
        ally_race=entry["ally_race"],
        enemy_race=entry["enemy_race"],
        groups=groups,
        enemy_order=order["order"],
        enemy_goals=_goals(order, groups),
        terrain=tuple(terrains[entry["terrain"]]),
        terrain_name=entry["terrain"],
    )


def _goals(order: dict, groups: tuple[Group, ...]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    if order["order"] != "attack_move":
        return None
    if isinstance(order["target"], list):
        return tuple(order["target"]), tuple(order["target"])
    first, last = (group.spawn for group in groups if group.side == "ally")  # 2m_vs_1z: between the marines
    return first, last
