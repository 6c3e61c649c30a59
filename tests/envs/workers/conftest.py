import tempfile

import pytest

from cohort.envs.workers.game import Limits
from tests.envs.workers.support import build


@pytest.fixture(scope="module")
def walkers():
    """Five processes for all tests that leave them as they were."""
    with build(limits=Limits()) as env:
        yield env


@pytest.fixture(autouse=True)
def folders(tmp_path_factory, monkeypatch):
    """Where temporary folders are made, so that the test can see what is left."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
