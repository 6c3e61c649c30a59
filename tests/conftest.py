import os
from pathlib import Path

import pytest
from hypothesis import settings

from cohort.components.process import prepare_process


def pytest_configure(config: pytest.Config) -> None:
    # for the processes that tests start: this checkout's code, whatever is installed
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1] / "src")
    os.environ.pop("COHORT_MONGO_URL", None)  # a developer's own database is no place for test runs
    prepare_process(torch_threads=1)
    settings.register_profile(
        "shared machine", deadline=None
    )  # a test's time says nothing where others run too
    settings.load_profile("shared machine")
