"""`run.py ls`, `show` and `diff` as they are typed."""

import csv
import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cohort.analysis.folders import FolderRun, find_runs
from cohort.analysis.ls import spread
from cohort.analysis.show import sparkline
from cohort.analysis.tables import duration, fitting, write_table
from cohort.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runs(write_run: Callable[..., FolderRun], results: Path) -> Path:
    """Two methods, three runs, wins of 0.25, 0.5 and 0.75; one of them never reached 0.4."""
    for method, seed, wins in (("qmix", 2, 0.25), ("qmix", 10, 0.75), ("vdn", 1, 0.5)):
        points = [
            (0, {"test_battle_won_mean": 0.0}),
            (1500, {"test_battle_won_mean": wins, "test_return_mean": 1.0}),
        ]
        write_run(method, seed, points)
    return results


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_ls(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", str(runs)]) == 0
    table = lines(capsys)
    assert table[0] == ["status", "method", "map", "seed", "t_env", "headline", "wall", "age", "name"]
    assert [row[3] for row in table[1:]] == [
        "10",
        "1",
        "2",
    ]  # by start, which the fixture takes from the seed
    assert table[2][:9] == ["COMPLETED", "vdn", "3m", "1", "1.5k", "test", "win", "rate", "0.5"]
    assert table[2][-1] == "vdn__3m__seed1"


def test_ls_chooses_sorts_and_writes_exact_values(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ls", "--where", "metrics.test_battle_won_mean >= 0.5", str(runs), "--sort", "method desc, seed"]
    assert main([*words, "--columns", "name, t_env, config.range as r", "--csv"]) == 2  # no run has that key
    assert "none of the 3 runs has this key" in capsys.readouterr().err
    assert (
        main([*words, "--columns", "name, t_env, reached(metrics.test_battle_won_mean, 0.6) as r", "--csv"])
        == 0
    )
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [
        ["name", "t_env", "r"],
        ["vdn__3m__seed1", "1500", ""],
        ["qmix__3m__seed10", "1500", "1500.0"],
    ]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("reached(metrics.test_battle_won_mean, 0.4), seed", ["vdn 1", "qmix 10", "qmix 2"]),
        ("reached(metrics.test_battle_won_mean, 0.6) desc, seed", ["qmix 10", "vdn 1", "qmix 2"]),
        ("seed desc", ["qmix 10", "qmix 2", "vdn 1"]),
    ],
)
def test_ls_puts_what_has_no_value_last(
    runs: Path, capsys: pytest.CaptureFixture[str], order: str, names: list[str]
) -> None:
    assert main(["ls", str(runs), "--sort", order, "--columns", "method, seed"]) == 0
    assert [" ".join(row) for row in lines(capsys)[1:]] == names


def test_ls_sums_groups_up_as_the_table_of_results_has_them(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = (
        "t_env, metrics.test_battle_won_mean as wins, reached(metrics.test_battle_won_mean, 0.4) as 0.4 at"
    )
    assert main(["ls", str(runs), "--by", "map,method", "--columns", columns, "--form", "markdown"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| map | method | seeds | t_env | wins | 0.4 at |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 3m | qmix | 2, 10 | 1.5k (1.5k to 1.5k) | 0.5 (0.25 to 0.75) | none (1.5k to none) |",
        "| 3m | vdn | 1 | 1.5k | 0.5 | 1.5k |",
    ]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([3.0, 1.0, 2.0], "2 (1 to 3)"),
        ([1.0, None, 2.0], "2 (1 to none)"),
        ([1.0, None], "none (1 to none)"),
        ([None, None], ""),
        (["a", "b", "a"], "a, b"),
        ([True, False], "True, False"),
        ([0.123456], "0.123"),
    ],
)
def test_spread(values: list, text: str) -> None:
    assert spread(values, "plain") == text


def test_mistakes_are_one_screen_and_status_2(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, says in (
        (["ls", str(runs), "--wher=x"], "Did you mean '--where'"),
        (["ls", str(runs / "none")], "no such folder"),
        (["ls", str(runs), "--where", "seed="], "expected a value"),
        (["ls", str(runs), "--form", "html"], "invalid choice"),
        (["diff", str(runs / "vdn__3m__seed1")], "diff needs two runs"),
        (["show", str(runs)], "holds 3 runs. Name one: qmix__3m__seed10, "),
        (["show", "nothing"], "There is no run 'nothing'"),
        (["export", str(runs)], "--format"),
    ):
        assert main(words) == 2, words
        error = capsys.readouterr().err
        assert says in error, words
        assert error.startswith("error: ")
        assert "Traceback" not in error


def test_a_damaged_run_is_left_out_and_said(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "vdn__3m__seed1" / "config.yaml").write_text("a: [")
    assert main(["ls", str(runs), "--columns", "name"]) == 0
    seen = capsys.readouterr()
    assert len(seen.out.splitlines()) == 3
    assert seen.err.startswith("left out: ")


def test_show(runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    assert main(["show", "seed10"]) == 0
    text = capsys.readouterr().out
    for part in (
        "COMPLETED at 1.5k of 100 steps, 375 updates, 375 episodes, 1h 30m of running",
        "a" * 40,
        "2026-11-20T17:00:00",
        "lr=0.0005",
        "env_args.map_name=3m",
    ):
        assert part in text, part
    row = next(line.split() for line in text.splitlines() if line.startswith("test_battle_won_mean"))
    assert row == ["test_battle_won_mean", "0.75", "0", "0.75", "1.5k", "▁", "█"]


def test_show_wants_one_run(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    assert main(["show", "qmix"]) == 2
    assert (
        "'qmix' is a part of 2 runs' names. Name one: qmix__3m__seed10, qmix__3m__seed2"
        in capsys.readouterr().err
    )


def test_a_sparkline_rises_from_the_least_to_the_greatest() -> None:
    import numpy as np

    assert sparkline(np.arange(8.0), np.arange(8.0), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([0.0, 7.0]), np.array([1.0, 0.0]), 8) == "█      ▁"
    assert sparkline(np.array([5.0]), np.array([2.0]), 4) == "▄   "


def test_diff_shows_what_differs_and_only_that(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = str(runs / "vdn__3m__seed1"), str(runs / "qmix__3m__seed2")
    assert main(["diff", one, other]) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:] if line}
    assert rows["config.name"] == ["vdn", "qmix"]
    assert rows["metrics.test_battle_won_mean"] == ["0.5", "0.25"]
    assert "config.lr" not in rows
    assert "commit" not in rows
    assert "other facts are equal" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (498, "8m 18s"), (3780, "1h 03m"), (273600, "3d 04h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_cell_cannot_break_a_table() -> None:
    for form, expected in (
        ("markdown", "| a |\n| --- |\n| x\\|y |\n"),
        ("csv", "a\nx|y\n"),
        ("table", "a\nx|y\n"),
    ):
        stream = io.StringIO()
        write_table(["a"], [["x|y"]], form, stream)
        assert stream.getvalue() == expected


def test_a_reader_that_has_seen_enough_is_no_error(runs: Path) -> None:
    code = f"import sys; from cohort.analysis.ls import main; main([{str(runs)!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, b"")


def test_matplotlib_and_pymongo_wait_until_they_are_needed() -> None:
    """A command's module may be imported for its --help; a list of folders needs neither."""
    code = "import sys, cohort.analysis.plot, cohort.analysis.export; print(json.dumps([m for m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"matplotlib", "pymongo", "torch", "sacred", "pandas"} & set(json.loads(done.stdout))


def test_a_narrow_terminal_keeps_names_and_seeds_whole(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    names = [run.name for run in find_runs([runs])]
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["ls", str(runs)]) == 0
        printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert max(map(len, printed.splitlines())) <= columns
        assert all(any(line.endswith(name) for line in printed.splitlines()) for name in names)
        assert " seed " in printed.splitlines()[0]
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["ls", str(runs)]) == 0
    assert "no room for: " in capsys.readouterr().out
    assert main(["ls", str(runs), "--columns", "name, age, wall, method, map, seed"]) == 0
    assert "no room for" not in capsys.readouterr().out  # what was asked for is shown, folded if need be


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """What a command prints on a terminal of so many columns, in lines of which none is longer."""

    def printed(columns: int, *words: str) -> list[str]:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))
        capsys.readouterr()
        assert main(list(words)) == 0
        found = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
        assert max(map(len, found)) <= columns
        return found

    return printed


def test_chosen_columns_keep_names_whole_and_break_no_word(
    runs: Path, narrow: Callable[..., list[str]]
) -> None:
    columns = "name, seed, config.lr, config.env_args.reset_noise, metrics.test_battle_won_mean, commit"
    found = narrow(80, "ls", str(runs), "--columns", columns)
    for name in [run.name for run in find_runs([runs])]:
        assert any(line.startswith(f"{name}  ") and "0.0005" in line and "aaaaaaa" in line for line in found)
    assert "config." in " ".join(found[:4])  # a heading is broken where its parts meet


def test_show_has_the_course_in_the_room_there_is(
    write_run: Callable[..., FolderRun], narrow: Callable[..., list[str]]
) -> None:
    metric = "trust_regions_within_budget"
    run = write_run("mamt", 1, [(step, {metric: -0.004524 * step}) for step in range(0, 900, 100)])
    for columns, least in ((80, 6), (120, 24)):
        found = narrow(columns, "show", run.place)
        (line,) = [line for line in found if line.startswith(metric)]
        assert len(re.search("[▁▂▃▄▅▆▇█ ]+$", line)[0].strip()) >= least // 3
        assert not any(set(line) <= set("▁▂▃▄▅▆▇█ ") and line.strip() for line in found)  # none is folded


def test_diff_numbers_the_runs_where_their_names_do_not_fit(
    write_run: Callable[..., FolderRun], narrow: Callable[..., list[str]]
) -> None:
    one, other = (
        write_run(
            method,
            1,
            config={"trust_region_grad_norm_clip": clip},
            commit=letter * 40,
            suffix="__2026-11-28_01-00-00",
        )
        for method, clip, letter in (("mamt", 0.5, "a"), ("maac", 1.5, "b"))
    )
    wide = narrow(160, "diff", one.place, other.place)
    assert wide[0].split() == [one.name, other.name]
    found = narrow(80, "diff", one.place, other.place)
    assert found[:2] == [f"run 1  {one.name}", f"run 2  {other.name}"]
    assert ["config.trust_region_grad_norm_clip", "0.5", "1.5"] in [line.split() for line in found]
    assert ["commit", "a" * 12, "b" * 12] in [line.split() for line in found]


def test_columns_are_left_out_in_order_and_only_as_many_as_need_be() -> None:
    headings, rows = ["name", "age", "wall"], [["a" * 20, "1h", "1234567890"]]
    assert fitting(headings, rows, 80, ("age", "wall")) == [0, 1, 2]
    assert fitting(headings, rows, 37, ("age", "wall")) == [0, 1, 2]  # 20 + 3 + 10, and two gaps of 2
    assert fitting(headings, rows, 36, ("age", "wall")) == [0, 2]
    assert fitting(headings, rows, 36, ("wall", "age")) == [0, 1]
    assert fitting(headings, rows, 5, ("wall", "age")) == [0]


def test_before_the_first_run_a_list_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ls"]) == 2
    assert "--config=qmix --env-config=sc2_sim" in capsys.readouterr().err
    (tmp_path / "results").mkdir()
    assert main(["ls"]) == 2
    assert "--config=qmix --env-config=sc2_sim" in capsys.readouterr().err


def test_no_command_stops_at_an_edited_file(
    write_run: Callable[..., FolderRun], results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_run("qmix", seed).folder for seed in (1, 2)]
    whole = json.loads(runs[0].provenance.read_text())["sessions"][0]
    whole |= {"packages": {"torch": "2"}, "gpus": [], "hostname": "a", "cpu": "b"}
    places = [(key,) for key in whole] + [("git", key) for key in whole["git"]] + [("packages", "torch")]
    odd_values = (3, 1.5, True, "text", [1], {"a": {"b": 1}}, [{"a": 1}], None)
    odd = []
    for place, value in itertools.product(places, odd_values):
        session = json.loads(json.dumps(whole))
        inside = session
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = value
        odd.append(session)
    for session in odd:  # as the last one, which most commands look at
        runs[0].provenance.write_text(json.dumps({"sessions": [whole, session]}))
        assert main(["show", str(runs[0].root)]) == 0
        assert main(["diff", str(runs[0].root), str(runs[1].root)]) in (0, 1)
    runs[0].provenance.write_text(json.dumps({"sessions": odd}))
    assert main(["ls", str(results), "--columns", "name, host"]) == 0
    assert main(["report", str(results), "--out", str(tmp_path / "page.html")]) == 0
    capsys.readouterr()
