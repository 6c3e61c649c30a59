"""SMACv2's tasks (arXiv:2212.07489): three races in five sizes."""

from dataclasses import dataclass

EPISODE_LIMIT = 200
SIZES = ("5_vs_5", "10_vs_10", "10_vs_11", "20_vs_20", "20_vs_23")


@dataclass(frozen=True)
class Kind:
    """One of a race's three types of unit, with what SMACv2's code says of it."""

    name: str  # in the unit catalogue
    weight: float  # chance that a unit is of this type
    sight: float  # metres
    shoot: float  # metres as far as an attack or a cure is offered
    alone: bool = True  # whether a whole team may be of this type


@dataclass(frozen=True)
class Race:
    """A race's types in the order of SMACv2's type ids."""

    letter: str
    kinds: tuple[Kind, Kind, Kind]

    @property
    def ranks(self) -> list[int]:
        """Each type's place in the order in which agents are numbered: that of the maps' own types, by the alphabet."""
        names = [kind.name for kind in self.kinds]
        return [sorted(names).index(name) for name in names]


RACES = {
    "protoss": Race(
        "P",
        (
            Kind("Stalker", 0.45, sight=10, shoot=6),
            Kind("Zealot", 0.45, sight=9, shoot=0.1),
            Kind("Colossus", 0.1, sight=10, shoot=7),
        ),
    ),
    "terran": Race(
        "T",
        (
            Kind("Marine", 0.45, sight=9, shoot=5),
            Kind("Marauder", 0.45, sight=10, shoot=6),
            Kind("Medivac", 0.1, sight=11, shoot=4, alone=False),
        ),
    ),
    "zerg": Race(
        "Z",
        (
            Kind("Zergling", 0.45, sight=8, shoot=0.1),
            Kind("Hydralisk", 0.45, sight=9, shoot=5),
            Kind("Baneling", 0.1, sight=8, shoot=0.25, alone=False),
        ),
    ),
}

TASKS = tuple(f"{race}_{size}" for race in RACES for size in SIZES)


def race_of(task: str) -> Race:
    """Of a task by name."""
    return RACES[task.partition("_")[0]]


def describe_tasks() -> dict[str, str]:
    """One sentence about each task."""
    return {task: _sentence(task) for task in TASKS}


def _sentence(task: str) -> str:
    kinds = race_of(task).kinds
    shares = [f"{kind.weight:.0%} {kind.name.lower()}s" for kind in kinds]
    return f"Both sides drawn from {shares[0]}, {shares[1]} and {shares[2]}, at most {EPISODE_LIMIT} steps."
