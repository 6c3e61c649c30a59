"""What the tests of a run's record share."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cohort.recording.folder import RunFolder, create_run_folder
from cohort.recording.mongo.target import MongoTarget
from tests.mongod import Mongod, database, mongod, server

__all__ = ["database", "mongod", "server"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A fresh run folder."""
    return create_run_folder(tmp_path / "results", "qmix__3m")


@pytest.fixture
def said() -> list[str]:
    """What was reported; `said.append` is the report."""
    return []


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python code in a process of its own, which does not outlive the test."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        children.append(started)
        return started

    yield start
    for process in children:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def target(mongod: Mongod, database: Any) -> MongoTarget:
    """That server's address, and the database of this test."""
    return MongoTarget(mongod.url(), database.name)
