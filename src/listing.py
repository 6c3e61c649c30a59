"""`run.py --list`: every algorithm, environment and map, one a line with a sentence."""

import importlib

from src.configuration import files
from src.envs import ENVS


def print_listing() -> None:
    for title, flag in (("algorithms", "--config"), ("environments", "--env-config")):
        print(f"{title} ({flag}=)")
        for name in files.names(flag):
            _print_entry(name, files.summary(files.FOLDERS[flag] / f"{name}.yaml"))
    for env in sorted(ENVS.entries):
        print(f"maps of {env} (with env_args.map_name=)")
        for name, sentence in _maps(env).items():
            _print_entry(name, sentence)


def _print_entry(name: str, sentence: str) -> None:
    print(f"  {name:<16} {sentence}")


def _maps(env: str) -> dict[str, str]:
    """The maps of an environment that has maps: its module's `describe_maps`."""
    module = importlib.import_module(ENVS.entries[env].partition(":")[0])
    return module.describe_maps() if hasattr(module, "describe_maps") else {}
