"""`run.py calibrate_m` as it is typed: means over updates that logging intervals cut across, by hand."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cohort.analysis.calibrate_m import mean_over
from cohort.analysis.folders import FolderRun
from cohort.cli import main


@pytest.fixture
def trial(write_run: Callable[..., FolderRun]) -> FolderRun:
    """D is 8, 4, 2 and 1 over updates up to 50, 150, 250 and 350; none before the first update."""
    points = [(0, {"return_mean": 0.0})]
    points += [
        (4 * end, {"critic_contribution": value, "adama_m": 5.0})
        for end, value in ((50, 8.0), (150, 4.0), (250, 2.0), (350, 1.0))
    ]
    config = {"adapt_magnitude": False, "adama_clip": 0.25}
    return write_run("adama", 1, points, config=config)


def table(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]


def test_m_is_measured_first_and_in_the_middle(trial: FolderRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate_m", trial.place, "--form", "csv"]) == 0
    assert table(capsys) == [
        ["first 100 updates", "6", "adama_m=6", "25 %", "25 %"],  # (50 x 8 + 50 x 4) / 100; clipped: 1; 8
        ["updates 125 to 225, the middle", "2.5", "adama_m=2.5", "0 %", "75 %"],  # (25 x 4 + 75 x 2) / 100
        ["all updates: median", "3", "adama_m=3", "0 %", "50 %"],
        ["all updates: 10 % quantile", "1.3", "", "", ""],
        ["all updates: 90 % quantile", "6.8", "", "", ""],
    ]
    assert main(["calibrate_m", trial.place, "--updates", "200", "--form", "csv"]) == 0
    first, middle, *_ = table(capsys)
    assert first[:2] == ["first 200 updates", "4.5"]  # (50 x 8 + 100 x 4 + 50 x 2) / 200
    assert middle[:2] == ["updates 75 to 275, the middle", "2.625"]  # (75 x 4 + 100 x 2 + 25 x 1) / 200
    assert main(["calibrate_m", trial.place, "--updates", "9000", "--form", "csv"]) == 0
    assert table(capsys)[0][0] == "first 350 updates"
    assert main(["calibrate_m", trial.place]) == 0
    assert "350 updates, m = 5" in capsys.readouterr().out


def test_a_mean_takes_of_each_interval_its_part() -> None:
    ends, values = np.array([32.0, 132.0]), np.array([5.0, 1.0])
    assert mean_over(ends, values, 0, 100) == pytest.approx((32 * 5 + 68 * 1) / 100)
    assert mean_over(ends, values, 0, 20) == 5.0
    assert mean_over(ends, values, 0, 500) == pytest.approx((32 * 5 + 100 * 1) / 132)


def test_what_records_no_d_says_how_to(
    write_run: Callable[..., FolderRun], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"critic_lr": 0.007, "actor_lr_norm": 0.002, "env": "predator_prey"}
    run = write_run("maddpg_fixed_lr", 2, config=rates)
    assert main(["calibrate_m", run.place]) == 2
    assert (
        "python run.py --config=adama --env-config=predator_prey with adapt_magnitude=False adapt_direction=False "
        "critic_lr=0.007 actor_lr_norm=0.002 seed=2"
    ) in " ".join(capsys.readouterr().err.split())
    run = write_run("adama", 2, config={"adapt_magnitude": True})
    assert main(["calibrate_m", run.place]) == 2
    assert "has logged no D (critic_contribution) yet" in capsys.readouterr().err
    assert main(["calibrate_m", run.place, "--updates", "0"]) == 2
    assert "--updates 0: must be 1 or more" in capsys.readouterr().err
