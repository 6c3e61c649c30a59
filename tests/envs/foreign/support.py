"""What these tests need of other libraries."""

import pytest


def needs(package: str):
    """The package; where it is not installed, the tests are skipped."""
    return pytest.importorskip(package, reason=f"{package} is not installed", exc_type=ImportError)
