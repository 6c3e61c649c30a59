"""Pictures are drawn with any number of points, and never at the run's expense."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cohort.recording.curve import draw_curve, finite_runs, short_steps, ticks, value_range
from cohort.recording.metrics import MetricsFile


def metrics_with(tmp_path: Path, *lines: dict[str, float]) -> Path:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for number, line in enumerate(lines, start=1):
        file.append(number * 50_000, line, updates=0, episode=0, wall_time=0)
    file.close()
    return file.path


def size_of(png: Path) -> tuple[int, int]:
    content = png.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


BOTH = {"test_battle_won_mean": 0.5, "test_return_mean": 3.0, "return_mean": 2.0}


@pytest.mark.parametrize(
    ("lines", "panels"),
    [
        ([], 1),
        ([{"loss": 1.0}], 1),
        ([{"return_mean": 1.0}], 1),
        ([{"return_mean": math.nan}, {"return_mean": math.inf}], 1),
        ([BOTH], 2),
        ([BOTH] * 100, 2),
    ],
)
def test_curve_has_a_panel_per_metric(
    tmp_path: Path, said: list[str], lines: list[dict[str, float]], panels: int
) -> None:
    png = tmp_path / "curve.png"
    assert draw_curve(metrics_with(tmp_path, *lines), png, "a_title", report=said.append), said
    assert said == []
    width, height = size_of(png)
    assert width == 900
    assert (height > 600) == (panels == 2)
    assert sorted(child.name for child in tmp_path.iterdir()) == ["curve.png", "metrics.jsonl"]


def test_failure_is_reported_and_not_raised(tmp_path: Path, said: list[str]) -> None:
    assert not draw_curve(tmp_path / "none.jsonl", tmp_path / "curve.png", "t", report=said.append)
    path = metrics_with(tmp_path, BOTH)
    assert not draw_curve(path, path / "below_a_file.png", "t", report=said.append)
    assert len(said) == 2
    assert all("not drawn" in line for line in said)


def test_short_steps() -> None:
    assert [short_steps(steps) for steps in (0, 500, 50_000, 1_500_000, 2e6, 1e10)] == [
        "0",
        "500",
        "50k",
        "1.5M",
        "2M",
        "10G",
    ]


def test_the_lines_are_where_their_values_are(tmp_path: Path, said: list[str]) -> None:
    """A win rate that goes from 0 to 1 goes from the lower left to the upper right."""
    lines = [{"test_battle_won_mean": value} for value in (0.0, 0.5, 1.0)]
    assert draw_curve(metrics_with(tmp_path, *lines), tmp_path / "c.png", "t", report=said.append)
    image = np.asarray(Image.open(tmp_path / "c.png")).astype(int)
    blue = np.abs(image - (31, 95, 168)).max(2) < 40
    rows, columns = np.nonzero(blue[80:360, 80:880])  # within the axes
    assert np.polyfit(columns, rows, 1)[0] < -0.4
    first, last = rows[columns < 300], rows[columns > 700]
    assert first.min() > last.max(), "rows count from the top"


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (-0.03, 1.03, False, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 2_040_000, True, [0, 500_000, 1_000_000, 1_500_000, 2_000_000]),
        (0, 3, True, [0, 1, 2, 3]),
        (-21.5, 1.2, False, [-20, -15, -10, -5, 0]),
        (1e-3, 3.2e-3, False, [1e-3, 1.5e-3, 2e-3, 2.5e-3, 3e-3]),
    ],
)
def test_ticks_are_round(low: float, high: float, whole: bool, expected: list[float]) -> None:
    assert ticks(low, high, whole=whole) == pytest.approx(expected)


def test_an_axis_shows_every_finite_value() -> None:
    assert value_range([np.array([math.nan, -1.0]), np.array([3.0, math.inf])]) == pytest.approx((-1.2, 3.2))
    assert value_range([np.array([2.0])]) == pytest.approx((1.9, 2.1))
    assert value_range([np.array([0.0, 0.0])]) == (-0.5, 0.5)
    assert value_range([np.array([math.nan])]) == (0.0, 1.0)


def test_a_line_has_a_gap_where_it_is_not_finite() -> None:
    values = np.array([1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0])
    assert finite_runs(np.arange(7), values) == [[(0, 1.0), (1, 2.0)], [(5, 4.0), (6, 5.0)]]
