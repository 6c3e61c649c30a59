"""A made-up StarCraft II installation whose program is the stand-in (see stand_in.py)."""

import json
import sys
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

BUILD_4_10, BUILD_4_6_2 = 75689, 69232
PLAIN = "32x32_flat"  # the map of SMACv2's tasks
FAULTS = ("", "exit", "error", "ended", "hang", "stop", "no_launch", "no_map")

_KNOBS, _LAUNCHES, _MAPS = "stand_in.json", "launches", "Maps/SMAC_Maps"
_REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Knobs:
    """How the stand-in behaves. The defaults are a game without faults.

    Attributes:
        fault: what goes wrong, one of `FAULTS`. `exit`: the process dies without an answer; `error`: the answer is
            an error; `ended`: the answer's status is `ended`; `hang`: no answer ever; `stop`: the process stops as
            if it got SIGSTOP, so that only SIGKILL ends it; `no_launch`: the process dies at once; `no_map`: the
            game refuses the map.
        fault_request: the kind of request at which it goes wrong, e.g. "debug" is the reset of a later episode.
            "step" counts only the steps of battles.
        fault_count: the how-manieth such request of a process it is, from 1.
        fault_launches: which launches of this installation have the fault, from 1; empty: every one.
        repeat_tags: every process counts its units' tags from the same number.
        late_units: requests `step{1}` after a respawn until the last unit of each team appears.
        old_pathing: describe the map's pathing with 8 bits for each cell, as builds before 4.8 did.
        log_requests: write every request into a file, for `requests`.
        seed: seed of the battles; None: the one of the request `create_game`, 0 where that has none.
        enemy_health: fraction of their health and shield that the enemies begin with; little of it makes wins easy.
        battle: arguments of `SC2SimSettings` but for the map, e.g. {"weapon_jitter": False, "move_amount": 1}.
        task: SMACv2's task, whose units the client creates on the map 32x32_flat; "" for SMAC's maps.
    """

    fault: str = ""
    fault_request: str = "step"
    fault_count: int = 1
    fault_launches: tuple[int, ...] = ()
    repeat_tags: bool = False
    late_units: int = 0
    old_pathing: bool = False
    log_requests: bool = False
    seed: int | None = None
    enemy_health: float = 1.0
    battle: dict[str, Any] = field(default_factory=dict)
    task: str = ""

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"fault is '{self.fault}'; it can be one of {FAULTS}")

    def fault_of(self, launch: int) -> str:
        """The fault of this launch, "" for none."""
        return self.fault if not self.fault_launches or launch in self.fault_launches else ""


def make_installation(folder: Path, builds: tuple[int, ...] = (BUILD_4_10,), **knobs: Any) -> dict[str, str]:
    """Create an installation, or change the knobs of the one in `folder`, and return the environment it needs.

    Args:
        folder: becomes SC2PATH.
        builds: numbers under Versions/.
        knobs: fields of `Knobs`; a process reads them when it starts.
    """
    from cohort.envs.sc2_sim.maps import all_maps

    folder = folder.absolute()
    for build in builds:
        program = folder / f"Versions/Base{build}/SC2_x64"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\nimport sys\n\nsys.path.insert(0, {str(_REPOSITORY)!r})\n"
            "from tests.envs.sc2.stand_in import main\n\nmain()\n"
        )
        program.chmod(0o755)
    (folder / _LAUNCHES).mkdir(exist_ok=True)
    (folder / _MAPS).mkdir(parents=True, exist_ok=True)
    for name in (*all_maps(), PLAIN):
        (folder / _MAPS / f"{name}.SC2Map").touch()
    (folder / _KNOBS).write_text(json.dumps(asdict(Knobs(**knobs))))
    return {"SC2PATH": str(folder)}


def read_knobs(folder: Path) -> Knobs:
    """The knobs of an installation."""
    return Knobs(**json.loads((folder / _KNOBS).read_text()))


def launches(folder: Path) -> list[int]:
    """Process ids of all launches so far, in order."""
    files = sorted((folder / _LAUNCHES).glob("*.pid"), key=lambda file: int(file.stem))
    return [int(file.read_text() or 0) for file in files]


def requests(folder: Path, launch: int = 1) -> list[str]:
    """What one process was asked, one line per request: its kind, then its contents; needs `log_requests`."""
    return request_log(folder, launch).read_text().splitlines()


def request_log(folder: Path, launch: int) -> Path:
    """Where a process writes its requests."""
    return folder / _LAUNCHES / f"{launch}.requests"


def register_launch(folder: Path, pid: int) -> int:
    """Note down one more launch and return its number, from 1. Safe among processes that start together."""
    for number in count(1):
        try:
            with open(folder / _LAUNCHES / f"{number}.pid", "x") as file:
                file.write(str(pid))
            return number
        except FileExistsError:
            continue
    raise AssertionError


def missing_packages(benchmark: str = "smac") -> str:
    """What the stand-in and `benchmark` (or smacv2) need that is not installed, as a sentence; "" if all is there.

    Nothing of it is imported for that, since it fails without PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python.
    """
    missing = [name for name in ("pysc2", "s2clientprotocol", "websockets") if find_spec(name) is None]
    smac = find_spec(benchmark)  # AutoML has a package of smac's name too
    folders = smac.submodule_search_locations if smac else []
    if not any((Path(folder) / "env/starcraft2/starcraft2.py").exists() for folder in folders or []):
        missing.append(f"oxwhirl's {benchmark}")
    names = ", ".join(missing)
    return f"{names} not installed; install requirements/sc2.txt and websockets" if missing else ""
