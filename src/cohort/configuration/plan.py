"""`Plan`: every chosen component with its own validated settings, before anything is built."""

import difflib
import re
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cohort.components import MEMORIES
from cohort.configuration import files
from cohort.configuration.run_settings import RunSettings
from cohort.configuration.updates import ENV_ARGS
from cohort.controllers import ACTION_SELECTORS, CONTROLLERS, HEADS
from cohort.envs import ENVS
from cohort.errors import UserError
from cohort.learners import LEARNERS
from cohort.modules.agents import AGENTS
from cohort.modules.critics import CRITICS
from cohort.modules.mixers import MIXERS
from cohort.registry import nearest
from cohort.runners import RUNNERS
from cohort.settings import Settings
from cohort.trainers import TRAINERS

# the keys that choose a component, and where its name is looked up
ROLES = {
    "env": ENVS,
    "runner": RUNNERS,
    "mac": CONTROLLERS,
    "head": HEADS,
    "agent": AGENTS,
    "action_selector": ACTION_SELECTORS,
    "mixer": MIXERS,
    "critic": CRITICS,
    "learner": LEARNERS,
    "memory": MEMORIES,
    "trainer": TRAINERS,
}
# of these a run has those that its learner names in `parts`
LEARNER_PARTS = ("mixer", "critic")
# (role, role that must fit it, the class attribute that says the same in both; a class without it fits everything)
COMPATIBLE = (
    ("learner", "trainer", "subject"),
    ("learner", "head", "policy_kind"),
    ("learner", "critic", "policy_kind"),
    ("learner", "agent", "weights"),
    ("learner", "agent", "recurrent"),
    ("head", "action_selector", "policy_kind"),
)


@dataclass(frozen=True)
class Component:
    """One chosen implementation and what it is told."""

    name: str
    cls: type
    settings: Settings

    def create(self, **parts: Any) -> Any:
        return self.cls(self.settings, **parts)


@dataclass(frozen=True)
class Plan:
    """All a run needs to be built; `config` is the same as one flat mapping, for the record."""

    run: RunSettings
    components: Mapping[str, Component]
    config: Mapping[str, Any]

    def __getitem__(self, role: str) -> Component:
        return self.components[role]

    def text(self) -> str:
        """The whole configuration as YAML that `--resume` and people can read."""
        return yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class Layer:
    """One source of keys.

    `shared` marks files that serve many algorithms: their keys need a reader somewhere, not in this very run.
    """

    place: str  # as in "lr = 0 (<place>)": "in cohort/config/default.yaml"
    values: Mapping[str, Any]
    shared: bool = False

    @classmethod
    def of_file(cls, path: Path, *, shared: bool = False) -> "Layer":
        return cls(f"in {_shown(path)}", files.read(path), shared)

    @classmethod
    def of_command_line(cls, typed: Mapping[str, Any]) -> "Layer":
        return cls("on the command line", typed)


@dataclass(frozen=True)
class Sources:
    """The layers of a configuration, lowest first."""

    layers: tuple[Layer, ...]

    @classmethod
    def read(cls, config: str, env_config: str, typed: Mapping[str, Any]) -> "Sources":
        """`default.yaml`, then the environment's file, then the algorithm's, then what was typed."""
        default, env, alg = (
            files.DEFAULT_FILE,
            files.find("--env-config", env_config),
            files.find("--config", config),
        )
        return cls(
            (
                Layer.of_file(default, shared=True),
                Layer.of_file(env, shared=True),
                Layer.of_file(alg),
                Layer.of_command_line(typed),
            )
        )

    @classmethod
    def of_run(cls, config: Path, typed: Mapping[str, Any]) -> "Sources":
        """A run's own `config.yaml`, then what was typed; `default.yaml` gives what is younger than the run."""
        default = Layer.of_file(files.DEFAULT_FILE, shared=True)
        return cls((default, Layer.of_file(config), Layer.of_command_line(typed)))

    def merged(self) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for layer in self.layers:
            for key, value in layer.values.items():
                if key == ENV_ARGS and not isinstance(value, dict):
                    raise UserError(
                        f"{ENV_ARGS} = {_value(value)} ({layer.place}): must be a mapping, as {ENV_ARGS}.map_name=3m."
                    )
                flat[key] = {**flat.get(key, {}), **value} if key == ENV_ARGS else value
        return flat

    def origin(self, key: str, within: str | None = None) -> str:
        """The layer that decides a key."""
        for layer in reversed(self.layers):
            if key in (layer.values.get(within, {}) if within else layer.values):
                return layer.place
        return "nowhere"


def make_plan(sources: Sources) -> Plan:
    """Choose, check and normalise. Raises `UserError` on the first thing that is wrong."""
    flat = sources.merged()
    chosen = _choose(flat, sources)
    _refuse_what_does_not_fit(flat, sources, chosen)
    readers: dict[str, type[Settings]] = {role: cls.Settings for role, cls in chosen.items() if role != "env"}
    readers["run"] = RunSettings
    _refuse_unread(flat, sources, readers, chosen)

    made = {role: _validate(role, reader, flat, sources) for role, reader in readers.items()}
    env_args = flat.get(ENV_ARGS, {})
    _refuse_unknown_env_args(env_args, chosen["env"].Settings, sources, flat["env"])
    made["env"] = _validate("env", chosen["env"].Settings, env_args, sources, within=ENV_ARGS)

    components = {role: Component(flat[role], cls, made[role]) for role, cls in chosen.items()}
    config: dict[str, Any] = {role: flat[role] for role in chosen}
    for role in readers:
        config |= made[role].model_dump(mode="json")
    config = {**dict(sorted(config.items())), ENV_ARGS: made["env"].model_dump(mode="json")}
    return Plan(run=made["run"], components=components, config=config)


def _choose(flat: Mapping[str, Any], sources: Sources) -> dict[str, type]:
    """The class of every role that this run has."""

    def load(role: str) -> type:
        return ROLES[role].load(_component_name(flat, role, sources))

    wanted = {*load("trainer").roles, *load("learner").parts}
    return {role: load(role) for role in ROLES if role in wanted}


def _component_name(flat: Mapping[str, Any], role: str, sources: Sources) -> str:
    if role not in flat:
        like = [key for key in difflib.get_close_matches(role, flat, n=1) if key not in ROLES]
        typo = f" Is {like[0]!r} ({sources.origin(like[0])}) meant to be it?" if like else ""
        raise UserError(
            f"no {role} is chosen: add `{role}: <name>`.{typo} Known: {', '.join(ROLES[role].entries)}."
        )
    if not isinstance(flat[role], str):
        raise UserError(
            f"{role} = {_value(flat[role])} ({sources.origin(role)}): must be a name. "
            f"Known: {', '.join(ROLES[role].entries)}."
        )
    return flat[role]


def _refuse_what_does_not_fit(flat: Mapping, sources: Sources, chosen: Mapping[str, type]) -> None:
    """Components that would not understand one another, as a learner of episodes and a memory of transitions."""
    for role, other, attribute in COMPATIBLE:
        wanted, found = (getattr(chosen.get(each), attribute, None) for each in (role, other))
        if None in (wanted, found) or _agree(wanted, found):
            continue
        fitting = [name for name in ROLES[other].entries if _agree(_says(other, name, attribute), wanted)]
        what = attribute.replace("_", " ")
        raise UserError(
            f"{other} = {flat[other]} ({sources.origin(other)}) and {role} = {flat[role]} ({sources.origin(role)}) "
            f"do not fit together: {what} {found} here, {what} {wanted} there. "
            f"To fit {flat[role]}, {other} can be: {', '.join(fitting)}."
        )


def _agree(one: Any, other: Any) -> bool:
    """Whether two classes say the same; one that fits several says so in a tuple."""
    both = [set(each) if isinstance(each, tuple) else {each} for each in (one, other)]
    return bool(both[0] & both[1])


def _says(role: str, name: str, attribute: str) -> str | None:
    """What a registered component says of itself; nothing where it cannot be imported."""
    with suppress(UserError):
        return getattr(ROLES[role].load(name), attribute, None)
    return None


def _refuse_unread(flat: Mapping, sources: Sources, readers: Mapping, chosen: Mapping) -> None:
    """A key that the user or the algorithm's file gives must be read by a component that is chosen.

    `default.yaml` and the environment's file serve many algorithms: there it is enough that somebody reads a key.
    """
    read = {key for reader in readers.values() for key in reader.model_fields} | set(chosen) | {ENV_ARGS}
    elsewhere = _keys_of_all_components()
    for layer in sources.layers:
        for key, value in layer.values.items():
            if key in read or (layer.shared and (key in elsewhere or key in ROLES)):
                continue
            if key in LEARNER_PARTS:
                parts = " and ".join(chosen["learner"].parts) or "nothing of the kind"
                raise UserError(
                    f"{key} = {_value(value)} ({layer.place}): learner {flat['learner']!r} has no {key} but {parts}. "
                    "Leave it out, or choose another learner."
                )
            if key in ROLES:
                raise UserError(
                    f"{key} = {_value(value)} ({layer.place}): trainer {flat['trainer']!r} has no {key}. "
                    "Leave it out, or choose another trainer."
                )
            if key in elsewhere:
                who = " or ".join(sorted(elsewhere[key]))
                raise UserError(
                    f"{key} = {_value(value)} ({layer.place}): no component of this run reads it; "
                    f"it belongs to {who}. Leave it out, or choose what it belongs to."
                )
            raise UserError(_unknown(key, value, layer.place, sorted(read), chosen))


def _unknown(key: str, value: Any, place: str, known: list[str], chosen: Mapping) -> str:
    env_keys = list(chosen["env"].Settings.model_fields)
    text = f"unknown key {key!r} (= {_value(value)}, {place})."
    if key in env_keys:
        return f"{text} It belongs to the environment: type {ENV_ARGS}.{key}={value}."
    match = difflib.get_close_matches(key, [*known, *env_keys], n=1, cutoff=0.5)
    if match:
        meant = match[0] if match[0] in known else f"{ENV_ARGS}.{match[0]}"
        return f"{text} Did you mean {meant!r}?\nAll keys and values of this run: add print_config to the command."
    return f"{text}\nAllowed: {', '.join(known)}."


def _keys_of_all_components() -> dict[str, set[str]]:
    """Every key of every registered component but environments -> the names of its readers.

    A component whose packages are not installed is left out: it must not stop a run that has no need of it.
    """
    keys: dict[str, set[str]] = {}
    for role, registry in ROLES.items():
        if role == "env":
            continue
        for name in registry.entries:
            with suppress(UserError):
                for key in registry.load(name).Settings.model_fields:
                    keys.setdefault(key, set()).add(f"{role} {name!r}")
    return keys


def _refuse_unknown_env_args(env_args: Mapping, settings: type[Settings], sources: Sources, env: str) -> None:
    known = [f"{ENV_ARGS}.{key}" for key in settings.model_fields]
    for key, value in env_args.items():
        shown = f"{ENV_ARGS}.{key}"
        if shown not in known:
            close = difflib.get_close_matches(str(key), list(settings.model_fields), n=1, cutoff=0.5)
            match = f" Did you mean '{ENV_ARGS}.{close[0]}'?" if close else ""
            raise UserError(
                f"unknown key {shown!r} (= {_value(value)}, {sources.origin(key, ENV_ARGS)}).{match}\n"
                f"Environment {env!r} reads: {', '.join(known)}."
            )


def _validate(
    role: str, reader: type[Settings], flat: Mapping, sources: Sources, within: str | None = None
) -> Settings:
    values = {
        key: _normalised(flat[key], field.annotation)
        for key, field in reader.model_fields.items()
        if key in flat
    }
    try:
        return reader(**values)
    except ValidationError as error:
        raise UserError(_explain(error.errors()[0], role, reader, sources, within)) from error


def _normalised(value: Any, annotation: Any) -> Any:
    """What was plainly meant: `true` for True and `2e6` for 2000000 where the key wants such a value."""
    allowed = {annotation}
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        allowed = set(typing.get_args(annotation))
    if bool in allowed and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if int in allowed and float not in allowed and isinstance(value, float) and value.is_integer():
        return int(value)
    if allowed == {str} and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if typing.get_origin(annotation) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _explain(
    detail: ErrorDetails, role: str, reader: type[Settings], sources: Sources, within: str | None
) -> str:
    """One screen on one refused value: key, value, where it was given, what is allowed."""
    message = _requirement(detail)
    if not detail["loc"]:
        return f"{role} settings: {message}."
    key = str(detail["loc"][0])
    shown = f"{within}.{key}" if within else key
    if detail["type"] == "missing":
        return (
            f"{role} needs the key {shown!r} ({_sentence(reader, key)}), which no file gives: "
            f"type {shown}=<value>."
        )
    return (
        f"{shown} = {_value(detail['input'])} ({sources.origin(key, within)}): {message}.\n"
        f"{shown}: {_sentence(reader, key)}."
    )


def _requirement(detail: ErrorDetails) -> str:
    """What a value must be, in plain words; "must be greater than 0" where pydantic's own are plain."""
    plain = {
        "bool_type": "must be True or False",
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "string_type": "must be text; put quotes around it",
        "string_pattern_mismatch": "must be one word without / and \\",
        "string_too_short": "must not be empty",
    }
    message = detail["msg"].removeprefix("Value error, ")
    message = plain.get(detail["type"], message.replace("Input should be", "must be", 1))
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        message += nearest(detail["input"], re.findall(r"'([^']*)'", detail["ctx"]["expected"])).rstrip("?")
    return message


def _sentence(reader: type[Settings], key: str) -> str:
    return str(reader.model_fields[key].description).rstrip(".")


def _value(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(path.relative_to(files.CONFIG_FOLDER.parent.parent))
    except ValueError:
        return str(path)
