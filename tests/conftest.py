import os

import pytest
from hypothesis import settings

from src.components.process import prepare_process


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("COHORT_MONGO_URL", None)  # a developer's own database is no place for test runs
    prepare_process(torch_threads=1)
    settings.register_profile(
        "shared machine", deadline=None
    )  # a test's time says nothing where others run too
    settings.load_profile("shared machine")
