"""Our win rates beside the real game's: matched at the same steps, and ranked as by hand."""

import math

import numpy as np
import pytest
import yaml

from benchmarks.real_game import compare
from benchmarks.real_game.published import read_published
from benchmarks.real_game.ranks import chance, interval, kendall, ranks, spearman
from benchmarks.real_game.rows import last_rows, our_cells, preferred, rows_of, value_at
from benchmarks.real_game.scatter import HIGH, WIDE, free_places, labels
from cohort.analysis.statistics import AGGREGATES
from cohort.errors import UserError

SOURCE = {"title": "made up", "game": "4.6.2", "axis": "steps", "read": "raw log"}
CURVES = {
    "easy": {"qmix": {100: [0.2, 0.4], 200: [0.8, 1.0]}, "vdn": {100: [0.1], 200: [0.7]}},
    "middle": {"qmix": {100: [0.0], 200: [0.5]}, "vdn": {100: [0.0], 200: [0.3]}},
    "hard": {"qmix": {100: [0.0], 200: [0.1]}},
}


@pytest.fixture
def published(tmp_path):
    """A file with three maps; the window is 50 steps."""
    content = {
        "window": {"steps": 50, "episodes": 5},
        "sources": {"first": SOURCE, "second": SOURCE | {"game": "4.10"}},
        "curves": {"first": CURVES, "second": {"easy": {"qmix": {200: [0.6]}, "iql": {200: [0.4]}}}},
        "tables": {"paper": {"at": 200, "win_rates": {"easy": {"qmix": 0.95}}}},
    }
    path = tmp_path / "published.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def write_curve(write_run):
    """Writes a run with a test every 25 steps, all of which have the win rate that `values` have at its end."""

    def write(map_name, method="qmix", seed=1, *, values, **more):
        points = [(25 * (number + 1), {"test_battle_won_mean": value}) for number, value in enumerate(values)]
        return write_run(method, seed, points, env_args={"map_name": map_name}, **more)

    return write


def output(published, results, capsys, *words):
    compare.main([str(results), "--published", str(published), "--replicates", "50", *words])
    return capsys.readouterr().out


def test_a_point_is_the_mean_of_the_tests_in_the_window_that_ends_there():
    x, y = np.array([25.0, 50.0, 75.0, 100.0]), np.array([0.1, 0.2, 0.6, 1.0])
    assert value_at(x, y, 100, 50) == pytest.approx(0.8)  # 75 and 100; 50 lies outside
    assert value_at(x, y, 125, 50) == pytest.approx(1.0)  # ends half a window before
    assert value_at(x, y, 126, 50) is None
    assert value_at(x, y, 20, 50) is None
    assert value_at(x[:0], y[:0], 100, 50) is None


def test_runs_are_compared_at_the_last_point_that_all_of_them_reach(published, write_curve):
    runs = [write_curve("easy", seed=1, values=[0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9])]
    runs += [write_curve("easy", seed=2, values=[0.0, 0.0, 0.2, 0.4])]
    curves = preferred(read_published(published))
    (row,) = last_rows(rows_of(("easy", "qmix"), runs, curves["easy", "qmix"]))
    assert (row.at, row.short, row.place) == (100, True, "100")
    assert row.ours == pytest.approx([0.5, 0.3])
    assert row.real == pytest.approx([0.2, 0.4])
    (alone,) = last_rows(rows_of(("easy", "qmix"), runs[:1], curves["easy", "qmix"]))
    assert (alone.at, alone.short) == (200, False)
    assert alone.ours == pytest.approx([0.9])


def test_records_that_count_episodes_are_met_at_episodes(published, write_curve):
    content = yaml.safe_load(published.read_text())
    content["sources"]["first"]["axis"] = "episodes"  # four steps are an episode
    content["curves"]["first"]["easy"]["qmix"] = {25: [0.5]}
    published.write_text(yaml.safe_dump(content))
    run = write_curve("easy", values=[0.1, 0.2, 0.3, 0.4])
    curve = preferred(read_published(published))["easy", "qmix"]
    (row,) = rows_of(("easy", "qmix"), [run], curve)
    assert row.ours == pytest.approx([0.4])
    assert row.place == "25 episodes"


def test_only_training_runs_of_the_simulator_count(write_curve):
    write = write_curve
    kept = write("easy", values=[0.0])
    others = [
        write("easy", seed=2, values=[0.0], config={"env": "sc2"}),
        write("easy", seed=3, values=[0.0], config={"evaluate": True}),
    ]
    assert our_cells([kept, *others]) == {("easy", "qmix"): [kept]}


def test_the_table_the_correlations_and_what_is_missing(published, results, write_curve, capsys, tmp_path):
    """By hand: real 0.9, 0.7, 0.5, 0.3 and ours 0.8, 0.9, 0.4, 0.2: one of six pairs stands the other way round."""
    for map_name, method, end in (
        ("easy", "qmix", 0.8),
        ("easy", "vdn", 0.9),
        ("middle", "qmix", 0.4),
        ("middle", "vdn", 0.2),
    ):
        write_curve(map_name, method, values=[0.0] * 6 + [end] * 2)
    write_curve("hard", "iql", values=[0.0] * 8)
    picture = tmp_path / "plot.png"
    said = output(published, results, capsys, "--out", str(picture))
    assert "| easy | qmix | 200 | 0.80 (1) | 0.90 (2) | -0.10 | first, 4.6.2 | paper 0.95 |  |" in said
    (line,) = [line for line in said.splitlines() if "each map and method, last point" in line]
    assert line.startswith("| each map and method, last point | 4 | 2 | 0.80 | 0.67 |")
    assert "No run of ours: hard (qmix); easy (iql)" in said
    assert "Nothing published: hard (iql)" in said
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_short_run_is_marked_and_a_shorter_one_is_told(published, results, write_curve, capsys):
    write_curve("easy", values=[0.0, 0.0, 0.3, 0.5])
    write_curve("middle", values=[0.0, 0.0])
    said = output(published, results, capsys)
    assert "| easy | qmix | 100 | 0.40 (1) | 0.30 (2) | +0.10 | first, 4.6.2 |  | short budget |" in said
    assert "Too short for the first published point: middle (qmix)" in said


def test_one_source_alone_and_every_point(published, results, write_curve, capsys):
    write_curve("easy", values=[0.5] * 8)
    said = output(published, results, capsys, "--source", "second")
    assert "| 0.60 (1) | -0.10 | second, 4.10 |" in said
    assert output(published, results, capsys, "--every").count("| easy | qmix |") == 2


def test_what_cannot_be_compared_is_refused(published, results, write_curve):
    words = [str(results), "--published", str(published)]
    write_curve("easy", values=[0.0])
    with pytest.raises(SystemExit, match=r"No run reaches a published point\.\nNo run of ours: easy \(vdn"):
        compare.main(words)
    with pytest.raises(SystemExit, match="--source none: there are first, second"):
        compare.main([*words, "--source", "none"])
    write_curve("easy", seed=2, values=[0.5] * 8, config={"lr": 0.1})
    with pytest.raises(SystemExit, match="lr"):
        compare.main(words)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curves": {"first": CURVES}}, "second must stand under sources and under curves"),
        ({"sources": {"first": SOURCE | {"axis": "wall"}}}, "counts 'wall'"),
        ({"curves": {"first": {"easy": {"qmix": {100: [76]}}}, "second": {}}}, "between 0 and 1"),
    ],
)
def test_a_damaged_file_is_refused(published, change, message):
    content = yaml.safe_load(published.read_text()) | change
    published.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=message):
        read_published(published)


def test_our_file_holds_what_it_says():
    published = read_published()
    tests = published.curves["5m_vs_6m", "qmix"]
    assert next(iter(tests)) == "smac_runs"
    assert tests["smac_runs"].points[2_000_000].mean() == pytest.approx(0.696)
    assert [value.win_rate for value in published.tables["5m_vs_6m", "qmix"]] == [0.70, 0.76]
    maps = {"3m", "8m", "2s3z", "3s5z", "1c3s5z", "5m_vs_6m", "3s_vs_5z", "2c_vs_64zg", "MMM2"}
    assert {map_name for map_name, _ in published.curves} == maps
    assert {(name, method) for name in maps for method in ("qmix", "vdn", "iql")} - set(published.curves) == {
        ("3m", "iql"),
        ("8m", "iql"),
    }


def test_correlations_with_ties_are_those_worked_out_by_hand():
    assert ranks(np.array([0.0, 0.5, 0.0, 1.0])) == pytest.approx([1.5, 3, 1.5, 4])
    # Of the six pairs one is tied in x, one in y; four agree: 4 / sqrt(5 * 5).
    x, y = np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 3.0])
    assert kendall(x, y) == pytest.approx(0.8)
    # Ranks 1.5, 1.5, 3, 4 and 1, 2, 3.5, 3.5: covariance 4, both sums of squares 4.5.
    assert spearman(x, y) == pytest.approx(4 / 4.5)
    assert math.isnan(spearman(x, np.zeros(4)))
    assert math.isnan(kendall(np.zeros(4), y))


def test_correlations_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    for _ in range(20):
        x, y = random.integers(5, size=(2, 12))
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
        assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


def test_chance_counts_orders():
    x = np.arange(4.0)
    assert chance(x, x) == pytest.approx(1 / 24)
    assert chance(x, x[::-1]) == 1
    assert chance(x, np.array([0.0, 0.0, 1.0, 1.0])) == pytest.approx(4 / 24)
    assert 0 < chance(np.arange(12.0), np.arange(12.0)) < 1e-3
    assert math.isnan(chance(x, np.ones(4)))


def test_intervals_need_four_maps_and_hold_a_perfect_correlation():
    x = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
    maps = ["a", "a", "b", "c", "d"]
    assert interval(maps, x, x, spearman, replicates=50) == pytest.approx((1, 1))
    low, high = interval(maps, x, np.array([0.0, 0.4, 0.2, 0.6, 0.8]), kendall, replicates=500)
    assert low < kendall(x, np.array([0.0, 0.4, 0.2, 0.6, 0.8])) < high
    assert np.isnan(interval(maps[:4], x[:4], x[:4], spearman)).all()


def test_two_public_records_are_ranked_against_each_other(published):
    content = yaml.safe_load(published.read_text())
    content["curves"]["second"]["middle"] = {"qmix": {200: [0.2]}, "vdn": {100: [0.9]}}
    published.write_text(yaml.safe_dump(content))
    groups = compare.real_against_real(read_published(published), AGGREGATES["mean"])
    assert groups == {
        "real games 4.10 and 4.6.2 (second, first), 100": [("middle", 0.9, 0.0)],
        "real games 4.10 and 4.6.2 (second, first), 200": [
            ("easy", 0.6, pytest.approx(0.9)),
            ("middle", 0.2, 0.5),
        ],
    }


def test_maps_are_ranked_by_the_methods_that_all_of_them_have(published, write_curve):
    curves = preferred(read_published(published))
    rows = []
    for map_name, method, end in (("easy", "qmix", 0.6), ("easy", "vdn", 0.2), ("hard", "qmix", 0.4)):
        run = write_curve(map_name, method, values=[0.0] * 6 + [end] * 2)
        rows += last_rows(rows_of((map_name, method), [run], curves[map_name, method]))
    methods, found = compare.by_map(rows, AGGREGATES["mean"])
    assert methods == ["qmix"]
    assert found == [("easy", pytest.approx(0.6), pytest.approx(0.9)), ("hard", pytest.approx(0.4), 0.1)]


def test_labels_of_points_that_lie_together_do_not():
    places = free_places([(0.0, 0.0)] * 5 + [(1.0, 1.0)] * 5 + [(0.5, 0.5)])
    assert places[-1][1] == 0.5
    for number, (x, y) in enumerate(places):
        assert all(abs(x - a) >= WIDE or abs(y - b) >= HIGH for a, b in places[:number])


def test_methods_that_lie_on_each_other_have_one_label():
    names, spots = labels(["a", "a", "b", "a"], [(0.0, 0.01), (0.01, 0.0), (0.0, 0.0), (0.5, 0.5)])
    assert names == ["a", "b", "a"]
    assert spots == [(0.0, 0.01), (0.0, 0.0), (0.5, 0.5)]
