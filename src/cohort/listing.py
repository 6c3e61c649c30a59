"""`run.py --list`: every algorithm, environment and map, one a line with a sentence."""

import importlib

from cohort.configuration import files
from cohort.envs import MAPS


def print_listing() -> None:
    for title, flag in (("algorithms", "--config"), ("environments", "--env-config")):
        print(f"{title} ({flag}=)")
        for name in files.names(flag):
            _print_entry(name, files.summary(files.FOLDERS[flag] / f"{name}.yaml"))
    for source in sorted(set(MAPS.values())):
        environments = [env for env in sorted(MAPS) if MAPS[env] == source]
        print(f"maps of {' and '.join(environments)} (with env_args.map_name=)")
        for name, sentence in _maps(source).items():
            _print_entry(name, sentence)


def _print_entry(name: str, sentence: str) -> None:
    print(f"  {name:<22} {sentence}")


def _maps(source: str) -> dict[str, str]:
    module, _, function = source.partition(":")
    return getattr(importlib.import_module(module), function)()
