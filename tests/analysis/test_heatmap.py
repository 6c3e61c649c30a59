"""`run.py heatmap` as it is typed: the numbers of its cells, what is marked, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cohort.analysis import heatmap, heatmap_figure
from cohort.analysis.folders import FolderRun
from cohort.analysis.grid import Grid
from cohort.analysis.heatmap_figure import FRAME, NO_VALUE, written
from cohort.cli import main

AXES = ["--x", "config.lr", "--y", "config.size", "--metric", "late(metrics.r) as reward"]


def write_cell(
    write_run: Callable[..., FolderRun], lr: float, size: int, *ends: float, seed: int = 1, **more: object
) -> None:
    """One run for each seed, whose values are 0 and four times its end."""
    for place, end in enumerate(ends, start=seed):
        points = [(100 * number, {"r": value}) for number, value in enumerate((0.0, end, end, end, end))]
        write_run("sgd", place, points, config={"lr": lr, "size": size}, suffix=f"_{lr}_{size}", **more)


@pytest.fixture
def grids(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Grid, tuple[int, int]]]:
    """What would be drawn: the grid and its best cell."""
    calls: list[tuple[Grid, tuple[int, int]]] = []
    monkeypatch.setattr(heatmap, "draw", lambda grid, best, path, **more: calls.append((grid, best)))
    return calls


@pytest.fixture
def corner(write_run: Callable[..., FolderRun], results: Path) -> Path:
    """Three of four cells: rates 0.002 and 0.01 (by size, not by letters), sizes 8 and 16."""
    write_cell(write_run, 0.01, 16, 5.0, 10.0)
    write_cell(write_run, 0.002, 16, -5.0)
    write_cell(write_run, 0.01, 8, 2.5, 0.0)
    return results


def test_a_cell_is_the_mean_over_its_seeds(
    corner: Path, grids: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["heatmap", str(corner), *AXES]) == 0
    ((grid, best),) = grids
    assert (grid.columns, grid.rows) == ([0.002, 0.01], [8, 16])
    assert np.array_equal(grid.means, [[np.nan, 1.0], [-4.0, 6.0]], equal_nan=True)  # late is 4/5 of the ends
    assert best == (1, 1)
    said = capsys.readouterr().out.splitlines()
    assert "mean over 1 to 2 runs in each cell" in said
    assert "no value in 1 of 4 cells: lr=0.002, size=8" in said
    assert "best: lr=0.01, size=16: 6 (seeds 1, 2)" in said
    assert main(["heatmap", str(corner), *AXES, "--lowest"]) == 0
    assert grids[1][1] == (1, 0)


def test_a_diverged_run_leaves_no_value(
    write_run: Callable[..., FolderRun], corner: Path, grids: list, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [(0, {"r": 99.0}), (100, {"r": float("nan")})]  # late() alone would find 99
    write_run("sgd", 3, points, config={"lr": 0.01, "size": 16}, suffix="_diverged")
    assert main(["heatmap", str(corner), *AXES]) == 0
    ((grid, best),) = grids
    assert np.array_equal(grid.diverged, [[False, False], [False, True]])
    assert np.isnan(grid.means[1, 1])
    assert best == (0, 1)
    assert "diverged in 1 of 4 cells: lr=0.01, size=16" in capsys.readouterr().out


def test_what_is_on_the_paper(corner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(heatmap_figure, "write", lambda made, path: figures.append(made))
    assert main(["heatmap", str(corner), *AXES]) == 0
    axes = figures[0].axes[0]
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), ""),
        ((1, 0), "1.00"),
        ((0, 1), "-4.00"),
        ((1, 1), "6.00"),
    }
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.002", "0.01"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("lr", "size", "reward")
    (frame,) = axes.patches
    assert (frame.get_xy(), to_hex(frame.get_edgecolor())) == ((0.5, 0.5), FRAME)
    (image,) = axes.images
    assert to_hex(image.cmap(image.norm(image.get_array()))[0, 0]) == NO_VALUE


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_file_of_each_kind(corner: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "new" / f"grid.{kind}"
    assert main(["heatmap", str(corner), *AXES, "--out", str(out)]) == 0
    assert out.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])


def test_values_have_three_digits_of_the_greatest() -> None:
    assert [written(value, np.array([0.01234, -0.5])) for value in (0.01234, -0.5)] == ["0.012", "-0.500"]
    assert written(1234.56, np.array([1234.56, 1.0])) == "1235"
    assert written(0.0, np.array([0.0])) == "0"
    assert written(float("nan"), np.array([float("nan"), 1.0])) == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--x", "config.lrr"], "Did you mean 'lr'"),
        (["--x", "config.lr,seed"], "--x takes one field, not 2"),
        (["--metric", "config.mixer"], "--metric config.mixer is 'sgd', not a number"),
        (["--metric", "late(metrics.never)"], "none of the 5 runs has this metric"),
        (["--where", "seed=9"], "nothing to draw"),
        (["--out", "x.gif"], "must end in .png, .svg, .pdf"),
        (["--x", "config.use_cuda"], "use_cuda=False, size=16: the runs of this cell differ in"),
    ],
)
def test_mistakes(corner: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    assert main(["heatmap", str(corner), *AXES, *words]) == 2
    assert says in capsys.readouterr().err


def test_a_cell_is_of_one_game_and_one_configuration(
    write_run: Callable[..., FolderRun], corner: Path, grids: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cell(write_run, 0.01, 16, 1.0, seed=3, env_args={"map_name": "8m"})
    assert main(["heatmap", str(corner), *AXES]) == 2
    assert "play different games: sc2_sim 3m, sc2_sim 8m" in capsys.readouterr().err
    assert main(["heatmap", str(corner), *AXES, "--where", "map=8m"]) == 0
    write_run("sgd", 1, [(0, {"r": 1.0})], config={"lr": 0.5, "size": 8, "gamma": 0.9}, suffix="_gamma")
    assert main(["heatmap", str(corner), *AXES, "--where", "map=3m"]) == 0
    assert "gamma: no such key / 0.9" in capsys.readouterr().out, "another cell's, and worth a note"
