"""What is said of a key or a value that is refused: where it was given, what is allowed, what to type instead."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic_core import ErrorDetails

from cohort.configuration import files
from cohort.configuration.inheritance import EXTENDS, ON, read_chain
from cohort.configuration.layers import Sources
from cohort.configuration.roles import LEARNER_PARTS, ROLES
from cohort.configuration.updates import ENV_ARGS, NESTED
from cohort.configuration.wording import brief
from cohort.errors import UserError
from cohort.registry import near, nearest
from cohort.settings import Settings


def keys_of_all_components() -> dict[str, set[str]]:
    """Every key of every registered component but environments -> the names of its readers. Imports them all.

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


def families_with(key: str) -> dict[str, Any]:
    """The families that give a key -> its value."""
    found = {}
    for path in sorted(files.FAMILIES.glob("*.yaml")):
        given = [each.values[key] for each in read_chain(path) if key in each.values]
        if given:
            found[path.stem] = given[-1]
    return found


def explain_no_choice(flat: Mapping[str, Any], role: str, sources: Sources) -> str:
    """No file chooses a component that the run needs."""
    like = [key for key in near(role, flat, n=1) if key not in ROLES]
    typo = f" Is {like[0]!r} ({sources.origin(like[0])}) meant to be it?" if like else ""
    families = families_with(role)
    extend = f", or `{EXTENDS}: <family>` with one of {', '.join(families)}" if families else ""
    known = ", ".join(ROLES[role].entries)
    return f"no {role} is chosen: add `{role}: <name>`{extend}.{typo} Known: {known}."


def explain_unread(
    key: str,
    value: Any,
    place: str,
    *,
    known: list[str],
    elsewhere: Mapping[str, set[str]],
    flat: Mapping[str, Any],
    chosen: Mapping[str, type],
) -> str:
    """A key that no component of the run reads; `known` are those that are read, `elsewhere` those of all others."""
    given = f"{key} = {brief(value)} ({place})"
    if key in LEARNER_PARTS:
        parts = " and ".join(chosen["learner"].parts) or "nothing of the kind"
        return (
            f"{given}: learner {flat['learner']!r} has no {key} but {parts}. "
            "Leave it out, or choose another learner."
        )
    if key in ROLES:
        return f"{given}: trainer {flat['trainer']!r} has no {key}. Leave it out, or choose another trainer."
    if key in elsewhere:
        return (
            f"{given}: no component of this run reads it; it belongs to {' or '.join(sorted(elsewhere[key]))}. "
            "Leave it out, or choose what it belongs to."
        )
    if key in (EXTENDS, ON):
        return f"{given}: it has a meaning only in an algorithm's file, the one behind --config."
    return _unknown(key, value, place, known, chosen)


def _unknown(key: str, value: Any, place: str, known: list[str], chosen: Mapping[str, type]) -> str:
    env_keys = list(chosen["env"].Settings.model_fields)
    text = f"unknown key {key!r} (= {brief(value)}, {place})."
    if key in env_keys:
        return f"{text} It belongs to the environment: type {ENV_ARGS}.{key}={value}."
    match = near(key, [*known, *env_keys], n=1)
    if match:
        meant = match[0] if match[0] in known else f"{ENV_ARGS}.{match[0]}"
        return f"{text} Did you mean {meant!r}?\nAll keys and values of this run: add print_config to the command."
    return f"{text}\nAllowed: {', '.join(known)}."


def explain_unknown_env_arg(key: Any, value: Any, settings: type[Settings], place: str, env: str) -> str:
    """A key under `env_args` that the environment does not have."""
    close = near(str(key), settings.model_fields, n=1)
    match = f" Did you mean '{ENV_ARGS}.{close[0]}'?" if close else ""
    known = ", ".join(f"{ENV_ARGS}.{each}" for each in settings.model_fields)
    return f"unknown key '{ENV_ARGS}.{key}' (= {brief(value)}, {place}).{match}\nEnvironment {env!r} reads: {known}."


def explain_refused(
    detail: ErrorDetails, role: str, reader: type[Settings], sources: Sources, within: str | None
) -> str:
    """One screen on one refused value: key, value, where it was given, what is allowed."""
    message = _requirement(detail)
    if not detail["loc"]:
        return f"{role} settings: {message}."
    key = str(detail["loc"][0])
    shown = f"{within}.{key}" if within else key
    if shown in NESTED:
        shown = ".".join(map(str, detail["loc"][:3]))
    if detail["type"] == "missing":
        return _missing(shown, role, _sentence(reader, key), sources)
    return (
        f"{shown} = {brief(detail['input'])} ({sources.origin(key, within)}): {message}.\n"
        f"{shown}: {_sentence(reader, key)}."
    )


def _missing(key: str, role: str, sentence: str, sources: Sources) -> str:
    """A key that no layer gives; its value in our families is what one will mostly want."""
    families = families_with(key)
    if sources.run_file is not None:
        told = ", ".join(
            f"{key}: {json.dumps(value)} (families/{name}.yaml)" for name, value in families.items()
        )
        return (
            f"{role} needs the key {key!r} ({sentence}), which this run is older than: add a line for it to "
            f"{sources.run_file}" + (f", as {told}." if told else ".")
        )
    extend = f"; or extend a family that has it: {', '.join(families)}" if families else ""
    return f"{role} needs the key {key!r} ({sentence}), which no file gives: type {key}=<value>{extend}."


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
