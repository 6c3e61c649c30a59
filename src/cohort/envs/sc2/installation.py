"""Is everything there that StarCraft II needs? Asked before anything is started, and without importing smac."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

from cohort.envs.sc2.settings import StarCraft2Settings
from cohort.errors import UserError

INSTALL_PACKAGES = "pip install --no-deps -r requirements/sc2.txt"
INSTALL_GAME = "./install_sc2.sh"
_PACKAGES = ("pysc2", "s2clientprotocol", "absl", "portpicker", "websocket")
_OTHERWISE = (
    "More: docs/starcraft.md. --env-config=sc2_sim plays the same maps in this project's simulator "
    "and needs neither smac nor StarCraft II."
)


def check_installation(settings: StarCraft2Settings) -> None:
    """Raises `UserError` that says what is missing and how to install it."""
    _check_packages()
    folder = game_folder()
    builds = _installed_builds(folder)
    if settings.game_version is not None:
        _check_version(settings.game_version, folder, builds)
    _check_map(settings.map_name, folder)


def game_folder() -> Path:
    """Where StarCraft II is, or should be: $SC2PATH, else ~/StarCraftII, as pysc2 has it."""
    return Path(os.environ.get("SC2PATH", "~/StarCraftII")).expanduser()


def _check_packages() -> None:
    smac = importlib.util.find_spec("smac")
    if smac is None:
        raise _refusal(
            "Python package smac (oxwhirl's StarCraft Multi-Agent Challenge) is not installed.",
            INSTALL_PACKAGES,
        )
    places = [Path(place) for place in smac.submodule_search_locations or []]
    if not any((place / "env" / "starcraft2" / "starcraft2.py").is_file() for place in places):
        raise _refusal(
            f"the package smac in {', '.join(map(str, places))} is another one of that name: PyPI's, which tunes "
            "hyper-parameters (AutoML). StarCraft's comes from oxwhirl's repository only; the two cannot be installed "
            "side by side.",
            f"pip uninstall smac, then {INSTALL_PACKAGES}",
        )
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise _refusal(
            f"Python packages that smac needs are not installed: {', '.join(missing)}.", INSTALL_PACKAGES
        )


def _installed_builds(folder: Path) -> set[int]:
    programs = sorted(folder.glob("Versions/Base*/SC2_x64"))
    asked = f"$SC2PATH is {os.environ['SC2PATH']}" if "SC2PATH" in os.environ else "$SC2PATH is not set"
    if not programs:
        raise _refusal(
            f"there is no StarCraft II in {folder} ({asked}; looked for Versions/Base*/SC2_x64).",
            f"{INSTALL_GAME}, or export SC2PATH=<folder of an installed game>",
        )
    if not_runnable := [str(program) for program in programs if not os.access(program, os.X_OK)]:
        raise _refusal(f"{not_runnable[0]} may not be executed.", f"chmod +x {not_runnable[0]}")
    return {int(number) for program in programs if (number := program.parent.name[4:]).isdecimal()}


def _check_version(version: str, folder: Path, builds: set[int]) -> None:
    known = _versions_of_pysc2()
    full = f"{version}.0" if version.count(".") == 1 else version
    if known.get(full) in builds:
        return
    installed = ", ".join(name for name, build in known.items() if build in builds) or "none that pysc2 knows"
    raise UserError(
        f"env_args.game_version = {version!r}: "
        f"{'that version is not installed' if full in known else 'pysc2 knows no such version'}.\n"
        f"Installed in {folder}: {installed}; null plays the newest build there.\n"
        f"Install another: {INSTALL_GAME} --version <4.10 or 4.6.2> --path <folder>, then export SC2PATH=<folder>.\n"
        f"{_OTHERWISE}"
    )


def _versions_of_pysc2() -> dict[str, int]:
    """pysc2's table of versions and their builds, from its file: importing pysc2's package would load protobuf."""
    pysc2 = importlib.util.find_spec("pysc2")
    path = Path(next(iter(pysc2.submodule_search_locations))) / "run_configs" / "lib.py"
    spec = importlib.util.spec_from_file_location("_pysc2_versions", path)
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: version.build_version for name, version in module.VERSIONS.items()}


def _check_map(name: str, folder: Path) -> None:
    path = folder / "Maps" / "SMAC_Maps" / f"{name}.SC2Map"
    if not path.is_file():
        raise _refusal(f"the map {name} is not installed: there is no {path}.", f"{INSTALL_GAME} --maps-only")


def _refusal(what: str, command: str) -> UserError:
    return UserError(f"--env-config=sc2: {what}\nInstall it: {command}\n{_OTHERWISE}")
