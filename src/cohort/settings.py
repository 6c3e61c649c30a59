"""The base of every component's settings: frozen, strict, and closed to keys it does not declare."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """What one component may be told, and nothing else.

    Fields carry their PyMARL names, their types and their ranges, so that a value is refused before anything
    is built. Facts of the environment (sizes, limits) are never settings: components receive an `EnvSpec`.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


class NoSettings(Settings):
    """For components with nothing to set."""
