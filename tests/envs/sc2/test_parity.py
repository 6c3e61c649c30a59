"""oxwhirl's smac, driving the stand-in, and `SC2Sim` agree step by step on every map the simulator plays.

PARITY_EPISODES is the number of episodes of each map, 2 by default; 20 was the acceptance run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cohort.cli import main
from cohort.envs.sc2_sim.maps import all_maps
from tests.envs.sc2.parity import Report
from tests.envs.sc2.parity_variants import VARIANTS
from tests.envs.sc2.stand_in_installation import missing_packages

needs_smac = pytest.mark.skipif(bool(missing_packages()), reason=missing_packages())
EPISODES = int(os.environ.get("PARITY_EPISODES", "2"))
PARTS = 4  # in which the maps are tried, for tests that run side by side; each costs two seconds to start
REPOSITORY = Path(__file__).parents[3]
# the tests' own PYTHONPATH has no place for a checkout of smacv2
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
SMAC = "tests.envs.sc2.parity"
COMPARED = {"obs", "state", "available", "reward", "terminated", "battle_won"}


def compare(comparison: str, maps: Sequence[str], *arguments: str) -> list[dict]:
    """What `comparison`, a module, found without a disagreement: one report for each map."""
    command = [sys.executable, "-m", comparison, "--json", "--maps", *maps, *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, timeout=900
    )
    assert "Traceback" not in done.stderr, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert {report["map_name"]: report["disagreements"] for report in reports} == {name: {} for name in maps}
    return reports


def compare_usual(comparison: str, maps: Sequence[str]) -> None:
    """`EPISODES` episodes of each map, with everything that matters compared."""
    for report in compare(comparison, maps, "--episodes", str(EPISODES)):
        assert report["counts"]["episodes"] == EPISODES
        assert not COMPARED - report["deviations"].keys()


def compare_variants(comparison: str, name: str) -> dict[str, int]:
    """One episode of each variant; what was counted."""
    numbers = [str(number) for number in range(len(VARIANTS))]
    (report,) = compare(comparison, [name], "--episodes", str(len(VARIANTS)), "--variants", *numbers)
    return report["counts"]


@needs_smac
@pytest.mark.parametrize("first", range(PARTS))
def test_smac_and_the_simulator_agree(first):
    compare_usual(SMAC, list(all_maps())[first::PARTS])


@needs_smac
def test_they_agree_however_they_are_set_up_in_won_lost_and_late_battles():
    counts = compare_variants(SMAC, "3m")
    assert min(counts["wins"], counts["losses"], counts["timeouts"]) > 0


def test_differences_are_found():
    report = Report("3m")
    report.compare("obs", np.zeros(3), np.array([0, 5e-6, 0]), 0, "step 1")
    report.compare("reward", 1000.0, 1000.005, 0, "step 1")
    assert report.disagreements == {}
    report.compare("obs", np.zeros(3), np.array([0, 0, 2e-5]), 0, "step 2")
    report.compare("reward", 1000.0, 1000.05, 0, "step 2")
    report.compare("state", np.zeros(3), np.zeros(4), 0, "step 2")
    report.compare("state", np.zeros(3), np.full(3, np.nan), 1, "step 2")
    assert list(report.disagreements) == [
        "variant 0, obs", "variant 0, reward", "variant 0, state", "variant 1, state",
    ]  # fmt: skip
    assert report.deviations["obs"] == 2e-5
    assert "[2] is 0 in SMAC, 2e-05 here (step 2)" in report.disagreements["variant 0, obs"]


@needs_smac
def test_a_learned_team_plays_through_smac(tmp_path):
    """Observations of smac's own settings are those that a run learned from, whoever computes them."""
    words = ["--config=vdn", "--env-config=sc2_sim", "with", "env_args.map_name=3m", "t_max=200"]
    assert main([*words, "test_nepisode=1", f"local_results_path={tmp_path}", "use_cuda=False"]) == 0
    (run,) = tmp_path.iterdir()
    (report,) = compare(SMAC, ["3m"], "--policy", str(run))
    assert report["counts"]["episodes"] == 2
