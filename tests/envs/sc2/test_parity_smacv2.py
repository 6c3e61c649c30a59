"""oxwhirl's smacv2, driving the stand-in, and `SMACv2Sim` agree step by step; and smacv2 plays through the runner.

PARITY_EPISODES is the number of episodes of each task, 2 by default. smacv2 is on no package index; with a checkout of
it: PYTHONPATH=<its folder> python -m pytest tests/envs/sc2/test_parity_smacv2.py
"""

import subprocess
import sys

import pytest

from cohort.envs.foreign import smacv2
from cohort.envs.smacv2_sim.tasks import RACES
from cohort.errors import UserError
from tests.envs.sc2.stand_in_installation import launches, make_installation, missing_packages
from tests.envs.sc2.test_parity import ENVIRONMENT, REPOSITORY, compare_usual, compare_variants

needs_smacv2 = pytest.mark.skipif(bool(missing_packages("smacv2")), reason=missing_packages("smacv2"))
SMACV2 = "tests.envs.sc2.parity_smacv2"


@needs_smacv2
@pytest.mark.parametrize("race", RACES)
def test_smacv2_and_the_simulator_agree(race):
    compare_usual(SMACV2, [f"{race}_{size}" for size in ("5_vs_5", "10_vs_10", "10_vs_11")])


@needs_smacv2
@pytest.mark.parametrize("race", RACES)
def test_they_agree_however_they_are_set_up(race):
    compare_variants(SMACV2, f"{race}_5_vs_5")


@needs_smacv2
def test_a_run_trains_on_smacv2s_own_code(tmp_path):
    # one game: each launch of the stand-in loads torch, which costs more than its battles
    words = f"batch_size_run=1 t_max=30 test_nepisode=1 env_args.time_limit=30 local_results_path={tmp_path}"
    environment = ENVIRONMENT | make_installation(tmp_path / "game", task="terran_5_vs_5")
    command = [
        sys.executable,
        "run.py",
        "--config=vdn",
        "--env-config=sc2_gen_terran",
        "with",
        *words.split(),
    ]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert launches(tmp_path / "game")


@pytest.mark.parametrize("race", RACES)
def test_without_smacv2_one_is_told_what_plays_the_same_task(race, monkeypatch):
    monkeypatch.setattr(smacv2, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"smacv2_sim with env_args.map_name={race}_10_vs_11"):
        getattr(smacv2, race)(n_units=10, n_enemies=11)
