"""What follows `with` means what it means to Sacred, without Sacred."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohort.configuration.updates import parse_updates
from cohort.errors import UserError

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(["lr", "name", "env_args", "env_args.map_name", "env_args.a.b", " t_max "])


def test_words_are_parsed_as_sacred_does() -> None:
    words = [
        "lr=1e-4",
        "n=3",
        "use_cuda=False",
        "name=qmix",
        "env_args.map_name=3m",
        "env_args.sizes=(1, 2)",
        "x=None",
    ]
    assert parse_updates(words) == {
        "lr": 1e-4,
        "n": 3,
        "use_cuda": False,
        "name": "qmix",
        "env_args": {"map_name": "3m", "sizes": [1, 2]},
        "x": None,
    }
    assert parse_updates([]) == {}


@given(st.lists(st.tuples(KEYS, LITERALS.map(repr) | st.text()), max_size=4))
def test_any_words_mean_what_sacred_takes_them_for(pairs: list[tuple[str, str]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sacred.arg_parser import get_config_updates
    words = [f"{key}={value}" for key, value in pairs]
    try:
        expected = get_config_updates(words)[0]
    except TypeError:
        with pytest.raises(UserError):
            parse_updates(words)
    else:
        assert parse_updates(words) == expected


@pytest.mark.parametrize("words", [["x={1, 2}"], ["x=b'y'"], ["env_args=3", "env_args.map_name=3m"]])
def test_words_that_are_no_configuration_are_refused_by_name(words: list[str]) -> None:
    with pytest.raises(UserError, match=words[0].split("=")[0]):
        parse_updates(words)


def test_a_value_builds_nothing() -> None:
    """Sacred hands values to jsonpickle, which makes objects of any class that they name."""
    typed = "{'py/object': 'pathlib.Path', 'py/state': {}}"
    assert parse_updates([f"x={typed}"]) == {"x": {"py/object": "pathlib.Path", "py/state": {}}}
