"""PyMARL's and EPyMARL's keys and values, wherever they were given, as ours."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cohort.configuration.layers import Layer, Sources
from cohort.configuration.pymarl.computed import env_keys
from cohort.configuration.pymarl.rows import NotHereError, Row
from cohort.configuration.pymarl.table import ENV_KEYS, KEYS, NOT_HERE
from cohort.configuration.roles import ROLES
from cohort.configuration.run_settings import RunSettings
from cohort.configuration.updates import ENV_ARGS
from cohort.configuration.wording import brief
from cohort.errors import UserError

_KEYS = {row.key: row for row in KEYS if row.translate is not None}
_ENV_KEYS = {row.key: row for row in ENV_KEYS}


def translated(sources: Sources) -> Sources:
    """The same in our words. Our own files are left alone, and so is a key that a component of the run declares.

    Raises:
        UserError: what was given has no counterpart here; a sentence for each key says what to type instead.
    """
    strange = [layer for layer in sources.layers if not layer.ours]
    if not any(_KEYS.keys() & layer.values.keys() or layer.values.get(ENV_ARGS) for layer in strange):
        return sources
    flat = sources.merged()
    _refuse_methods_not_here(flat, sources)
    refused: list[str] = []
    sources = _with_rows(sources, {key: row for key, row in _KEYS.items() if row.ours}, flat, refused)
    foreign = {key: row for key, row in _KEYS.items() if not row.ours}
    if any(foreign.keys() & layer.values.keys() for layer in strange):
        ours = sources.merged()
        read = _declared(ours)
        rows = {key: row for key, row in foreign.items() if key not in read}
        sources = _with_rows(sources, rows, {**flat, "env": ours.get("env")}, refused)
    sources = _without_strange_arguments(sources, refused)
    if refused:
        raise UserError("\n".join(refused))
    return sources


def _refuse_methods_not_here(flat: Mapping[str, Any], sources: Sources) -> None:
    for role, values in NOT_HERE.items():
        value = flat.get(role)
        known = value in ROLES[role].entries and (role == "env" or "trainer" in flat)
        if isinstance(value, str) and value in values and not known:
            raise UserError(f"{role} = {brief(value)} ({sources.origin(role)}): {values[value]}.")


def _with_rows(
    sources: Sources, rows: Mapping[str, Row], flat: Mapping[str, Any], refused: list[str]
) -> Sources:
    """Every layer that is not ours with the keys that `rows` are about translated, where they decide something."""
    layers, above = [], set()
    for layer in reversed(sources.layers):
        layers.insert(0, layer if layer.ours else _layer(layer, rows, flat, above, refused))
        above |= layer.values.keys()
    return dataclasses.replace(sources, layers=tuple(layers))


def _layer(
    layer: Layer, rows: Mapping[str, Row], flat: Mapping[str, Any], above: set[str], refused: list[str]
) -> Layer:
    found = rows.keys() & layer.values.keys()
    if not found:
        return layer
    values = {key: value for key, value in layer.values.items() if key not in found}
    made: dict[str, Any] = {}
    for key in (each for each in layer.values if each in found and each not in above):
        try:
            made |= rows[key].translate(layer.values[key], flat)
        except NotHereError as sentence:
            refused.append(f"{key} = {brief(layer.values[key])} ({layer.place}): {sentence}.")
    arguments = {**made.pop(ENV_ARGS, {}), **values.pop(ENV_ARGS, {})}
    # what the layer says in our words goes before what follows from its others
    values = {**made, **values} | ({ENV_ARGS: arguments} if arguments else {})
    return dataclasses.replace(layer, values=values)


def _declared(flat: Mapping[str, Any]) -> set[str]:
    """Every key that a component of the run declares, or the run itself."""
    read = set(RunSettings.model_fields)
    for role, registry in ROLES.items():
        if role != "env" and isinstance(flat.get(role), str):
            with suppress(UserError):  # said where the components are chosen
                read |= registry.load(flat[role]).Settings.model_fields.keys()
    return read


def _without_strange_arguments(sources: Sources, refused: list[str]) -> Sources:
    """Arguments of SMAC's and Gymma's that the chosen environment does not have; its seed is nobody's to give."""
    flat = sources.merged()
    said = flat.get(ENV_ARGS, {})
    known = env_keys(flat)
    empty = {key for key in ("key", "map_name") if said.get(key) is None}
    strange = {
        key: row
        for key, row in _ENV_KEYS.items()
        if key in said and (key not in known or key in empty or key == "seed")
    }
    for key, row in strange.items():
        try:
            row.translate(said[key], flat)
        except NotHereError as sentence:
            place = sources.origin(key, ENV_ARGS)
            refused.append(f"{ENV_ARGS}.{key} = {brief(said[key])} ({place}): {sentence}.")
    layers = tuple(_without(layer, strange) for layer in sources.layers)
    return dataclasses.replace(sources, layers=layers)


def _without(layer: Layer, keys: Mapping[str, Any]) -> Layer:
    arguments = layer.values.get(ENV_ARGS)
    if layer.ours or not isinstance(arguments, dict) or not keys.keys() & arguments.keys():
        return layer
    kept = {key: value for key, value in arguments.items() if key not in keys}
    return dataclasses.replace(layer, values={**layer.values, ENV_ARGS: kept})
