"""How wide columns become where there is too little room."""

import pytest

from cohort.analysis.widths import GAP, HEADING, broken, column_widths

HEADINGS = ["name", "config.batch_size_run", "result"]
ROWS = [["qmix__3m__seed1__2026-11-28", "8", "0.5 (0.25 to 0.75)"], ["short", "16", "0.5"]]
NEEDS = [27, 21, 18]


def total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


@pytest.mark.parametrize("room", [70, 71, 500])
def test_where_there_is_room_nothing_is_folded(room: int) -> None:
    assert column_widths(HEADINGS, ROWS, room, ["name"]) == NEEDS


@pytest.mark.parametrize("room", range(46, 70))
def test_names_and_words_stay_whole_as_long_as_they_can(room: int) -> None:
    widths = column_widths(HEADINGS, ROWS, room, ["name"])
    assert total(widths) == room
    assert widths[0] == NEEDS[0]
    assert widths[1] >= HEADING  # "size_run"
    assert widths[2] >= len("(0.25")


def test_names_give_way_last() -> None:
    assert column_widths(HEADINGS, ROWS, 39, ["name"]) == [27, 4, 4]
    widths = column_widths(HEADINGS, ROWS, 20, ["name"])
    assert total(widths) == 20
    assert min(widths) == 4
    assert column_widths(HEADINGS, ROWS, 1, ["name"]) == [4, 4, 4]


def test_a_table_without_rows_has_its_headings() -> None:
    assert column_widths(["a", "bc"], [], 80) == [1, 2]


@pytest.mark.parametrize(
    ("heading", "width", "lines"),
    [
        ("seed", 2, ["seed"]),
        ("config.batch_size_run", 8, ["config.", "batch_", "size_run"]),
        ("config.batch_size_run", 14, ["config.batch_", "size_run"]),
        ("late(metrics.test_return_mean)", 13, ["late(metrics.", "test_return_", "mean)"]),
        ("measured (± sd)", 9, ["measured", "(± sd)"]),
        ("", 8, [""]),
    ],
)
def test_a_heading_is_broken_where_its_parts_meet(heading: str, width: int, lines: list[str]) -> None:
    assert broken(heading, width) == lines
