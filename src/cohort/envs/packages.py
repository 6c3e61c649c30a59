"""Python packages that some environments need and others do not."""

import importlib.util
from collections.abc import Iterable

from cohort.errors import UserError


def require_packages(env_config: str, packages: Iterable[str], requirements: str) -> None:
    """Raises `UserError` where one of `packages` is missing; `requirements` is the file that brings them."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"--env-config={env_config} needs the Python package {package}, which is not installed.\n"
                f"Install it: pip install -r {requirements}"
            )
