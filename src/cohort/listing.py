"""`run.py --list`: every algorithm, environment and map, one a line with a sentence."""

import importlib
import shutil
import sys
import textwrap

from cohort.configuration import files
from cohort.envs import MAPS

_NAMES = 22  # columns for the names


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
    """On a terminal words stay whole; in a pipe an entry is one line."""
    line = f"  {name:<{_NAMES}} {sentence}"
    if sys.stdout.isatty():
        columns = max(_NAMES + 30, shutil.get_terminal_size().columns)
        line = textwrap.fill(line, columns, subsequent_indent=" " * (_NAMES + 3), break_on_hyphens=False)
    print(line)


def _maps(source: str) -> dict[str, str]:
    module, _, function = source.partition(":")
    return getattr(importlib.import_module(module), function)()
