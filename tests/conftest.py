import pytest

from src.components.process import prepare_process


def pytest_configure(config: pytest.Config) -> None:
    prepare_process(torch_threads=1)
