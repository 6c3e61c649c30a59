"""Pictures are drawn with any number of points, and never at the run's expense."""

import math
from pathlib import Path

import pytest

from cohort.recording.curve import draw_curve, short_steps
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
