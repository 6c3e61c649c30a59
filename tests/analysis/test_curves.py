"""Curves over seeds that were logged at different moments."""

from collections.abc import Callable

import numpy as np
import pytest

from cohort.analysis.curves import MAX_POINTS, Settings, common_grid, make_curve, over_places
from cohort.analysis.folders import FolderRun
from cohort.errors import UserError


def logged(
    write_run: Callable[..., FolderRun], seed: int, *points: tuple[int, float], **more: object
) -> FolderRun:
    return write_run(seed=seed, points=[(step, {"r": value}) for step, value in points], **more)


def test_seeds_meet_on_straight_lines_where_all_of_them_have_been(
    write_run: Callable[..., FolderRun],
) -> None:
    runs = [
        logged(write_run, 1, (0, 0.0), (100, 10.0), (200, 10.0)),
        logged(write_run, 2, (20, 0.0), (120, 20.0)),
    ]
    curve = make_curve({"3m": runs}, "r", Settings(aggregate="mean", band="range"))
    assert list(curve.x) == [20, 100, 120]
    assert list(curve.low) == pytest.approx([0.0, 10.0, 10.0])
    assert list(curve.high) == pytest.approx([2.0, 16.0, 20.0])
    assert list(curve.centre) == pytest.approx([1.0, 13.0, 15.0])
    assert curve.longest == 200


def test_every_seed_is_counted_and_one_has_no_band(write_run: Callable[..., FolderRun]) -> None:
    runs = [logged(write_run, 1, (0, 1.0), (9, 2.0)), write_run(seed=2)]
    curve = make_curve({"3m": runs}, "r", Settings())
    assert curve.runs == (runs[0],)
    assert (curve.low, curve.high) == (None, None)
    assert list(curve.centre) == [1.0, 2.0]
    assert make_curve({"3m": runs}, "never", Settings()) is None


def test_the_interval_lies_around_the_aggregate(write_run: Callable[..., FolderRun]) -> None:
    runs = [logged(write_run, seed, (0, float(seed)), (9, float(seed**2))) for seed in range(1, 6)]
    curve = make_curve({"3m": runs}, "r", Settings(aggregate="iqm"))
    assert list(curve.centre) == [3.0, pytest.approx((4 + 9 + 16) / 3)]
    assert (curve.low < curve.centre).all()
    assert (curve.centre < curve.high).all()
    wider = make_curve({"3m": runs}, "r", Settings(aggregate="iqm", level=0.99))
    assert (wider.low <= curve.low).all()
    assert (wider.high >= curve.high).all()


def test_a_standard_deviation_is_of_n_minus_1(write_run: Callable[..., FolderRun]) -> None:
    runs = [logged(write_run, seed, (0, value)) for seed, value in ((1, 1.0), (2, 2.0), (3, 6.0))]
    curve = make_curve({"3m": runs}, "r", Settings(x="episodes", aggregate="mean", band="std"))
    assert list(curve.centre) == [3.0]
    assert list(curve.high) == pytest.approx([3.0 + 7**0.5])
    assert list(curve.low) == pytest.approx([3.0 - 7**0.5])


def test_maps_are_resampled_apart(write_run: Callable[..., FolderRun]) -> None:
    maps = {
        name: [
            logged(write_run, seed, (0, value), (9, value), env_args={"map_name": name}) for seed in (1, 2, 3)
        ]
        for name, value in (("3m", 0.0), ("8m", 1.0))
    }
    curve = make_curve(maps, "r", Settings(aggregate="mean"))
    assert len(curve.runs) == 6
    for line in (curve.low, curve.centre, curve.high):
        assert list(line) == [0.5, 0.5]


def test_runs_without_a_common_stretch_are_refused(write_run: Callable[..., FolderRun]) -> None:
    runs = [logged(write_run, 1, (0, 0.0), (10, 1.0)), logged(write_run, 2, (20, 0.0), (30, 1.0))]
    with pytest.raises(UserError, match="no steps in common: qmix__3m__seed1 from 0 to 10"):
        make_curve({"3m": runs}, "r", Settings())


def test_smoothing_averages_backwards_and_is_off_by_default(write_run: Callable[..., FolderRun]) -> None:
    run = logged(write_run, 1, (0, 0.0), (1, 3.0), (2, 6.0), (2, 9.0), (3, 0.0))
    assert list(make_curve({"3m": [run]}, "r", Settings()).centre) == [
        0.0,
        3.0,
        9.0,
        0.0,
    ]  # the last value of step 2
    assert list(make_curve({"3m": [run]}, "r", Settings(smooth=3)).centre) == [0.0, 1.5, 4.0, 4.0]


def test_the_grid_has_an_end() -> None:
    many = [np.arange(0, 5000, 1.0), np.arange(0.5, 4000, 1.0)]
    grid = common_grid(many)
    assert len(grid) == MAX_POINTS
    assert (grid[0], grid[-1]) == (0.5, 3999.5)
    assert len(common_grid(many[:1])) == 5000  # a single run is drawn as it was logged


def test_results_at_places_have_each_an_interval_of_their_own(write_run) -> None:
    one, two, three = (write_run(seed=seed) for seed in (1, 2, 3))
    curve = over_places({2.0: {one: 5.0}, 0.0: {one: 1.0, two: 3.0}, 1.0: {}}, Settings(aggregate="mean"))
    assert curve is not None
    assert list(curve.x) == [0.0, 2.0]
    assert list(curve.centre) == [2.0, 5.0]
    assert (curve.low[0], curve.high[0]) == (1.0, 3.0)
    assert np.isnan([curve.low[1], curve.high[1]]).all(), "nobody knows the spread of one"
    assert curve.runs == (one, two)
    alone = over_places({0.0: {three: 1.0}}, Settings(aggregate="mean"))
    assert alone is not None
    assert alone.low is None
    assert over_places({0.0: {}}, Settings()) is None
