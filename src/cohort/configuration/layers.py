"""The layers of a configuration: which file or word decides a key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cohort.configuration import files
from cohort.configuration.inheritance import ENV, AlgorithmFile, Section, read_chain
from cohort.configuration.updates import ENV_ARGS, NESTED
from cohort.configuration.wording import brief
from cohort.errors import UserError


@dataclass(frozen=True)
class Layer:
    """One source of keys.

    `shared` marks what serves many algorithms: its keys need a reader somewhere, not in this very run. That our own
    shared files are read somewhere is for a test to see (`ours`), and not for every run.
    """

    place: str  # as in "lr = 0 (<place>)": "in src/config/default.yaml"
    values: Mapping[str, Any]
    shared: bool = False
    ours: bool = False

    @classmethod
    def of_file(cls, path: Path, values: Mapping[str, Any] | None = None, *, shared: bool = False) -> Self:
        """A whole file, or `values` of it."""
        found = files.read(path) if values is None else values
        return cls(f"in {files.shown(path)}", found, shared, files.is_ours(path))

    @classmethod
    def of_command_line(cls, typed: Mapping[str, Any]) -> Self:
        return cls("on the command line", typed)

    def section(self, section: Section) -> "Layer":
        """What the same file says for an environment or a task."""
        return Layer(f"{self.place}, {section}", section.values, self.shared, self.ours)


@dataclass(frozen=True)
class Sources:
    """The layers of a configuration, lowest first. `run_file` is the config.yaml of a run that goes on."""

    layers: tuple[Layer, ...]
    run_file: Path | None = None

    @classmethod
    def read(cls, config: str, env_config: str, typed: Mapping[str, Any]) -> Self:
        """All that speaks of an algorithm in an environment, lowest first:

        1. `default.yaml`, then the families that the algorithm extends,
        2. the environment's file,
        3. the algorithm's file after those that it extends,
        4. all their sections for the environment, then all for the task: a map, a key or a scenario,
        5. what was typed.
        """
        env = files.find("--env-config", env_config)
        chain = read_chain(files.find("--config", config))
        told = [(each, Layer.of_file(each.path, each.values, shared=each is not chain[-1])) for each in chain]
        plain = (
            Layer.of_file(files.DEFAULT_FILE, shared=True),
            *(layer for file, layer in told if file.is_family),
            Layer.of_file(env, shared=True),
            *(layer for file, layer in told if not file.is_family),
        )
        words = Layer.of_command_line(typed)
        flat = cls((*plain, words)).merged()
        return cls((*plain, *_sections(told, flat, env.stem), words))

    @classmethod
    def of_run(cls, config: Path, typed: Mapping[str, Any]) -> Self:
        """A run's own `config.yaml`, then what was typed; `default.yaml` gives what is younger than the run."""
        default = Layer.of_file(files.DEFAULT_FILE, shared=True)
        return cls((default, Layer.of_file(config), Layer.of_command_line(typed)), run_file=config)

    def merged(self) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for layer in self.layers:
            for key, value in layer.values.items():
                if key in NESTED and not isinstance(value, dict):
                    raise UserError(
                        f"{key} = {brief(value)} ({layer.place}): must be a mapping, as {NESTED[key]}."
                    )
                flat[key] = {**flat.get(key, {}), **value} if key in NESTED else value
        return flat

    def origin(self, key: str, within: str | None = None) -> str:
        """The layer that decides a key."""
        for layer in reversed(self.layers):
            if key in (layer.values.get(within, {}) if within else layer.values):
                return layer.place
        return "nowhere"


def _sections(
    told: Iterable[tuple[AlgorithmFile, Layer]], flat: Mapping[str, Any], env_file: str
) -> list[Layer]:
    """The sections that apply: those for the environment, then those for its task; within each the base's first.

    A section names the environment's file or its class (`env`); where there are both, the file's goes before.
    """
    names = list(dict.fromkeys((str(flat.get(ENV)), env_file)))
    arguments = {key: str(value) for key, value in flat.get(ENV_ARGS, {}).items()}
    found = [
        (bool(section.task), depth, names.index(section.environment), layer.section(section))
        for depth, (file, layer) in enumerate(told)
        for section in file.sections
        if section.environment in names
        and (section.task is None or arguments.get(section.task[0]) == section.task[1])
    ]
    return [layer for *_, layer in sorted(found, key=lambda each: each[:3])]
