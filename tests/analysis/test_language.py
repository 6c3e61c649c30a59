"""Conditions and columns: what holds for which run, and what an error teaches."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohort.analysis.fields import refuse_unknown
from cohort.analysis.folders import FolderRun
from cohort.analysis.language import parse_columns, parse_condition
from cohort.errors import UserError


@pytest.fixture
def run(write_run: Callable[..., FolderRun]) -> FolderRun:
    points = [(step, {"wins": wins}) for step, wins in ((0, 0.0), (10, 0.9), (20, 0.6))]
    return write_run(
        "qmix", seed=3, points=points, config={"double_q": True, "sizes": [1, 2], "range": None, "label": "7"}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config.mixer=qmix", True),
        ("config.mixer = QMIX", True),
        ("config.mixer==vdn", False),
        ("config.mixer != vdn", True),
        ("config.lr = 5e-4 and seed=3", True),
        ("config.lr<=0.0005", True),
        ("config.lr < 0.0005", False),
        ("seed > -1", True),
        ("metrics.wins>0.6", False),
        ("metrics.wins >= .6", True),
        ("max(metrics.wins) > 0.8", True),
        ("min(metrics.wins) = 0", True),
        ("first(metrics.wins) = 0 and late(metrics.wins) = 0.5", True),
        ("reached(metrics.wins, 0.9) = 10", True),
        ("reached(metrics.wins, 0.95) < 1e9", False),
        ("map=3m", True),
        ('map="3m"', True),
        ("map in (2s3z, 3m)", True),
        ("map not in [2s3z, 3m]", False),
        ("not map in (2s3z)", True),
        ("seed in (1, 3)", True),
        ("name ~ SEED3", True),
        ("name ~ seed4", False),
        ("config.sizes ~ 2", True),
        ('config.sizes = "[1, 2]"', True),
        ("config.double_q = True", True),
        ("config.double_q = 1", False),
        ("config.label = 7", True),
        ("config.range = None", True),
        ("config.range != none", False),
        ("config.range > 3", False),
        ("config.range = 3", False),
        ("config.range != 3", False),
        ("status = completed", True),
        ("started > 2026-11-19", True),
        ("started > 2026-11-21", False),
        ("seed=1 or seed=3 and map=8m", False),
        ("(seed=1 or seed=3) and map=3m", True),
        ("seed=1 and map=8m or seed=3", True),
        ("not seed=1 and not (map=8m or map=2s3z)", True),
        ("NOT seed=3 OR seed=3", True),
        ("t_env=20 and episode=5 and updates=5", True),
    ],
)
def test_conditions(run: FolderRun, text: str, expected: bool) -> None:
    condition = parse_condition(text)
    refuse_unknown(condition.fields, [run])
    assert condition.holds(run) is expected


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", 0, "it ends here"),
        ("seed", 4, "expected a comparison of seed"),
        ("seed=", 5, "expected a value"),
        ("seed=3 and", 10, "expected a field"),
        ("seed=3 seed=4", 7, "expected and, or, or the end; not 'seed'"),
        ("(seed=3", 7, "closing parenthesis"),
        ("sed=3", 0, "Did you mean 'seed'"),
        ("seed=3 or mixer=qmix", 10, "Is config.mixer or metrics.mixer meant?"),
        ("mx(metrics.wins) > 1", 0, "Did you mean 'max'"),
        ("max(config.lr) > 1", 0, "summarises a metric"),
        ("reached(metrics.wins) > 1", 0, "Type it as reached(metrics.wins, 0.9)"),
        ("max(metrics.wins, 3) > 1", 0, "Type it as max(metrics.wins)"),
        ("reached(metrics.wins, x) > 1", 0, "needs a number"),
        ("map in 3m", 7, "expected a list"),
        ("map in (3m", 10, "a comma or the list's end"),
        ('map = "3m', 6, "has no meaning here"),
        ("and = 3", 0, "expected a field"),
    ],
)
def test_mistakes_are_marked(text: str, place: int, says: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_condition(text)
    message, shown, mark = str(caught.value).rsplit("\n", 2)
    assert says in message
    assert shown == f"  {text}"
    assert mark == "  " + " " * place + "^"


def test_comparing_text_with_a_number_is_refused_and_not_false(run: FolderRun) -> None:
    with pytest.raises(UserError, match=r"< compares numbers.*'qmix' with 3.*\(run qmix__3m__seed3\)"):
        parse_condition("config.mixer < 3").holds(run)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config.mixr=qmix", "Did you mean 'mixer'"),
        ("config.map_name=3m", "Did you mean 'config.env_args.map_name'"),
        ("metrics.win>1", "Did you mean 'wins'"),
        ("max(metrics.zzzzz)>1", "There are: wins"),
    ],
)
def test_a_key_that_no_run_has_is_a_mistake(run: FolderRun, text: str, says: str) -> None:
    with pytest.raises(UserError, match="none of the 1 runs has") as caught:
        refuse_unknown(parse_condition(text).fields, [run])
    assert says in str(caught.value)


def test_columns() -> None:
    columns = parse_columns(
        'seed, reached(metrics.wins, 0.9) as 0.9 reached at, t_env desc, map as "the map"'
    )
    assert [column.title for column in columns] == ["seed", "0.9 reached at", "t_env", "the map"]
    assert [column.field.text for column in columns][1] == "reached(metrics.wins, 0.9)"
    assert [column.descending for column in columns] == [False, False, True, False]
    with pytest.raises(UserError, match="expected a comma"):
        parse_columns("seed map")


WORDS = st.sampled_from(
    [
        "seed",
        "config.lr",
        "max",
        "(",
        ")",
        "[",
        ",",
        "=",
        "<",
        "~",
        "and",
        "or",
        "not",
        "in",
        "3",
        "'a'",
        '"',
        "^",
        "é",
    ]
)


@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=20))
def test_any_text_is_a_condition_or_a_mistake_of_the_user(text: str) -> None:
    for parse in (parse_condition, parse_columns):
        with suppress(UserError):
            parse(text)


def test_endless_nesting_is_a_mistake_too() -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        parse_condition("(" * 5_000)
