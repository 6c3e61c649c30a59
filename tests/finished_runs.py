"""A small finished run that tests may harm, and what commands say of it on one line."""

import shutil
from pathlib import Path

import pytest

from cohort.cli import main
from tests import harness

RUN = "env_args.map_name=two_step test_interval=60 log_interval=40 checkpoint_interval=40"


def typed(results: Path, text: str = "") -> list[str]:
    return harness.words("qmix", "matrix_games", f"{RUN} local_results_path={results} {text}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("finished")
    assert main(typed(results, "t_max=160")) == 0
    return harness.only_run(results)


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of a finished run that a test may harm."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))


def content(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def refusal(capsys, *words: str) -> str:
    """What a command says that ends with status 2, without a traceback."""
    capsys.readouterr()
    assert main(list(words)) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return one_line(said)


def one_line(text: str) -> str:
    return " ".join(text.split())
