"""The short form of `python -m tests.soak`."""

from tests.soak import Soak


def test_faults_at_random_lose_nothing(tmp_path):
    soak = Soak(tmp_path, seed=1, sessions=7)
    soak.one("qmix", "matrix_games")
    assert soak.tally.sessions > 1
    assert not soak.tally.losses, str(soak.tally)
