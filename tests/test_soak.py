"""The short form of `python -m tests.soak`."""

import pytest

from tests import mongod
from tests.soak.soak import Soak


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A server that may be killed; None where there is none."""
    program = mongod.binary()
    server = mongod.Mongod(program, tmp_path_factory.mktemp("soaked")) if program else None
    yield server
    if server:
        server.kill()


@pytest.mark.parametrize(("algorithm", "env"), [("qmix", "matrix_games"), ("mappo", "shaken_walks")])
def test_faults_at_random_lose_nothing(algorithm, env, tmp_path, database):
    soak = Soak(tmp_path, seed=1, sessions=5, server=database)
    (subject,) = [each for each in soak.subjects if str(each) == f"{algorithm} {env}"]
    soak.one(subject)
    assert soak.tally.sessions > 1
    assert not soak.tally.losses, str(soak.tally)
