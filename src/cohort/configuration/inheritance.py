"""An algorithm's file: what it extends, and what it says for single environments and tasks. An example:

    extends: qmix                      # a family or an algorithm of ours, or a path relative to this file
    lr: 0.001                          # everywhere
    on:
      cooperative_navigation: {gamma: 0.9}
      sc2_sim:
        epsilon_anneal_time: 50000     # on all its maps
        map_name:
          27m_vs_30m: {epsilon_anneal_time: 500000}

What such a file means beside the others is in `layers.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohort.configuration import files
from cohort.configuration.pymarl.bases import base_of
from cohort.configuration.task import TASK_ARGS
from cohort.configuration.updates import ENV_ARGS, NESTED
from cohort.configuration.wording import brief
from cohort.errors import UserError
from cohort.registry import nearest

EXTENDS, ON = "extends", "on"
ENV = "env"


@dataclass(frozen=True)
class Section:
    """What a file says for one environment, or for one task of it (`task` is the argument and its value)."""

    environment: str
    values: Mapping[str, Any]
    task: tuple[str, str] | None = None

    def __str__(self) -> str:
        """As in "in mine.yaml, on sc2_sim map_name=3m"."""
        return f"{ON} {self.environment}" + (f" {self.task[0]}={self.task[1]}" if self.task else "")


@dataclass(frozen=True)
class AlgorithmFile:
    """One file of a chain: its plain keys and its sections."""

    path: Path
    values: Mapping[str, Any]
    sections: tuple[Section, ...]

    @property
    def is_family(self) -> bool:
        return self.path.parent == files.FAMILIES


def read_chain(path: Path) -> list[AlgorithmFile]:
    """An algorithm's file after all that it extends, the base first.

    Raises:
        UserError: a file that is extended does not exist or extends the one that extends it, or a section is malformed.
    """
    chain: list[AlgorithmFile] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        if following.resolve() in [each.resolve() for each in seen]:
            circle = " > ".join(each.name for each in (*seen, following))
            raise UserError(
                f"{EXTENDS} in {files.shown(seen[-1])}: the files go round in a circle: {circle}."
            )
        seen.append(following)
        content = files.read(following)
        extended = content.pop(EXTENDS, None)
        if extended is None and not files.is_ours(following) and (base := base_of(content)):
            extended, content = base.extends, {**base.values, **content}
        sections = tuple(_sections(content.pop(ON, {}), f"in {files.shown(following)}"))
        chain.insert(0, AlgorithmFile(following, content, sections))
        following = None if extended is None else _extended(extended, following)
    return chain


def _extended(name: Any, by: Path) -> Path:
    """The file that `extends: <name>` means: a family, else an algorithm of ours, else a path relative to `by`."""
    said = f"{EXTENDS}: {name} (in {files.shown(by)})"
    folders = (files.FAMILIES, files.FOLDERS["--config"])
    known = [each.stem for folder in folders for each in sorted(folder.glob("*.yaml"))]
    if not isinstance(name, str) or not name:
        raise UserError(
            f"{said}: must be the name of one file, as {EXTENDS}: qmix. Known: {', '.join(known)}."
        )
    if name in known:
        return next(path for folder in folders if (path := folder / f"{name}.yaml").is_file())
    if not files.is_path(name):
        raise UserError(
            f"{said}: unknown name.{nearest(name, known)}\nKnown: {', '.join(known)}; "
            "or the path of a YAML file, relative to this one."
        )
    path = by.parent / name
    if not path.is_file():
        beside = [each.name for each in sorted(path.parent.glob("*.y*ml")) if each != by]
        raise UserError(
            f"{said}: there is no file {path}.{nearest(path.name, beside)}{nearest(path.stem, known)}"
        )
    return path


def _sections(content: Any, place: str) -> Iterator[Section]:
    """Every section under `on`."""
    for environment, keys in _mapping(content, ON, place, "sc2_sim: {gamma: 0.9}").items():
        said = f"{ON}.{environment}"
        keys = dict(_mapping(keys, said, place, "{gamma: 0.9}"))
        tasks = [(arg, keys.pop(arg)) for arg in TASK_ARGS if arg in keys]
        yield _section(Section(environment, keys), place)
        for arg, values in tasks:
            example = f"{arg}: {{3m: {{gamma: 0.9}}}}"
            for task, own in _mapping(values, f"{said}.{arg}", place, example).items():
                own = _mapping(own, f"{said}.{arg}.{task}", place, example)
                yield _section(Section(environment, own, (arg, str(task))), place)


def _section(section: Section, place: str) -> Section:
    """A section that holds nothing that would decide which sections apply."""
    place = f"{place}, {section}"
    for key, value in section.values.items():
        if isinstance(value, dict) and key not in NESTED:
            raise UserError(
                f"{key} ({place}): a mapping stands only under {', '.join((*TASK_ARGS, *NESTED))}."
                f"{nearest(str(key), [*TASK_ARGS, *NESTED])}"
            )
    arguments = section.values.get(ENV_ARGS)
    told = [f"{ENV_ARGS}.{arg}" for arg in TASK_ARGS if isinstance(arguments, dict) and arg in arguments]
    for key in [*told, *({ENV, *TASK_ARGS} & set(section.values))]:
        raise UserError(
            f"{key} ({place}): it decides which sections apply, so that none can give it. "
            "Give it in the environment's file, or type it."
        )
    return section


def _mapping(content: Any, what: str, place: str, example: str) -> Mapping[Any, Any]:
    if not isinstance(content, dict):
        raise UserError(f"{what} = {brief(content)} ({place}): must be a mapping, as {example}.")
    return content
