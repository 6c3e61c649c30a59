"""From the values of a layer's keys to one component's settings."""

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from cohort.configuration.explanations import explain_refused
from cohort.configuration.layers import Sources
from cohort.errors import UserError
from cohort.settings import Settings


def validate(
    role: str, reader: type[Settings], flat: Mapping[str, Any], sources: Sources, within: str | None = None
) -> Settings:
    """The settings that `reader` makes of its keys. Raises `UserError` on the first that it refuses."""
    values = {
        key: _normalised(flat[key], field.annotation)
        for key, field in reader.model_fields.items()
        if key in flat
    }
    try:
        return reader(**values)
    except ValidationError as error:
        raise UserError(explain_refused(error.errors()[0], role, reader, sources, within)) from error


def _normalised(value: Any, annotation: Any) -> Any:
    """What was plainly meant: `true` for True, `null` for None, `2e6` for 2000000, where the key wants such a value."""
    allowed = {annotation}
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        allowed = set(typing.get_args(annotation))
    if bool in allowed and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if type(None) in allowed and str not in allowed and value == "null":
        return None
    if int in allowed and float not in allowed and isinstance(value, float) and value.is_integer():
        return int(value)
    if allowed == {str} and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and any(typing.get_origin(each) is tuple for each in allowed):
        return _as_tuples(value)
    return value


def _as_tuples(value: Any) -> Any:
    """YAML has lists only."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
