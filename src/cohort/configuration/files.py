"""Configuration files: where they are, what they are called, how they are read."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from cohort.configuration.pymarl.names import NAMES
from cohort.errors import UserError
from cohort.program import PACKAGE
from cohort.registry import nearest

# inside an installed package; beside it in a checkout
CONFIG_FOLDER = next(each for each in (PACKAGE / "config", PACKAGE.parent / "config") if each.is_dir())
DEFAULT_FILE = CONFIG_FOLDER / "default.yaml"
FAMILIES = CONFIG_FOLDER / "families"  # what the algorithms of a family share; nobody runs one of these
FOLDERS = {"--config": CONFIG_FOLDER / "algs", "--env-config": CONFIG_FOLDER / "envs"}


class _Loader(yaml.SafeLoader):
    """Safe YAML in which `1e-4` is a number and a key may stand only once."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)$"),
    list("-+0123456789."),
)


def _mapping_without_repeats(loader: _Loader, node: yaml.MappingNode) -> dict:
    seen: dict[Any, str | None] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
        said = value.value if isinstance(value, yaml.ScalarNode) else None
        if key.value in seen and (said is None or said != seen[key.value]):
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key.value!r} stands twice: delete one of the lines", key.start_mark
            )
        seen[key.value] = said
    loader.flatten_mapping(node)  # what `<<` merges in may repeat a key: the mapping's own goes before it
    return {_key(loader, k): loader.construct_object(v, deep=True) for k, v in node.value}


def _key(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A key as it is written: YAML 1.1 would read the word `on` as True."""
    if node.value == "on":
        return node.value
    return loader.construct_object(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_repeats)


def find(flag: str, name: str) -> Path:
    """The file behind `--config=<name>` or `--env-config=<name>`: a bare name of ours, or a path."""
    if name in names(flag):
        return FOLDERS[flag] / f"{name}.yaml"
    path = Path(name)
    if is_path(name):
        if os.path.exists(path):
            return path
        raise UserError(f"{flag}={name}: there is no such file.{nearest(path.stem, names(flag))}")
    if name in NAMES:
        raise UserError(f"{flag}={name} is not a name here: type {NAMES[name]}.")
    raise UserError(
        f"{flag}={name}: unknown name.{nearest(name, names(flag))}\n"
        f"Known: {', '.join(names(flag))}; or the path of a YAML file."
    )


def is_path(name: str) -> bool:
    """Whether a name that is not one of ours is meant as a path: it ends as a YAML file does, or has a folder."""
    return name.endswith((".yaml", ".yml")) or bool(os.path.dirname(name))


def is_ours(path: Path) -> bool:
    return path.is_relative_to(CONFIG_FOLDER)


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    return str(path.relative_to(CONFIG_FOLDER.parent.parent)) if is_ours(path) else str(path)


def names(flag: str) -> list[str]:
    return sorted(path.stem for path in FOLDERS[flag].glob("*.yaml"))


def read(path: Path) -> dict[str, Any]:
    """The mapping in one YAML file. Raises `UserError` naming the file and the place."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read: it is not UTF-8 text ({error}).") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: the 31st of February
        raise UserError(f"{path}: not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold `key: value` lines, not {_kind(content)}.")
    for key in content:
        if not isinstance(key, str):
            raise UserError(f"{path}: the key {key!r} must be a word; put quotes around it if it is one.")
    return content


def _kind(content: Any) -> str:
    return "a list" if isinstance(content, list) else f"one {type(content).__name__}"


def summary(path: Path) -> str:
    """The sentence in the file's first comment line."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
