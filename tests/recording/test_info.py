"""PyMARL's lists: whole where they are short, thinned evenly where they are long, and never too much for a document."""

from itertools import pairwise

import pytest

from cohort.recording.info import (
    CONFIG_KEYS,
    MOST_NUMBERS,
    MOST_POINTS,
    as_configured,
    as_readers_expect,
    info_lists,
)

MOST_BYTES = 16 * 2**20  # of one document in MongoDB


def curve(points: int) -> tuple[list[int], list[float]]:
    return [10 * step for step in range(points)], [float(step) for step in range(points)]


@pytest.mark.parametrize("points", [1, 2, 3, MOST_POINTS - 1, MOST_POINTS])
def test_short_curves_are_whole(points: int) -> None:
    steps, values = curve(points)
    assert info_lists({"loss": (steps, values)}) == {"loss": values, "loss_T": steps}


@pytest.mark.parametrize("points", [MOST_POINTS + 1, 2 * MOST_POINTS - 1, 2 * MOST_POINTS, 12345, 10**5])
def test_long_curves_keep_even_distances_and_their_last_point(points: int) -> None:
    steps, values = curve(points)
    lists = info_lists({"loss": (steps, values)})
    kept = lists["loss_T"]
    assert MOST_POINTS / 2 <= len(kept) == len(lists["loss"]) <= MOST_POINTS
    assert kept[-1] == steps[-1]
    assert len({after - before for before, after in pairwise(kept)}) == 1
    assert [10 * value for value in lists["loss"]] == kept


@pytest.mark.parametrize("metrics", [1, 40, 100, 101, 400, 5000])
def test_no_document_outgrows_the_limit(metrics: int) -> None:
    """As the database itself encodes it."""
    import bson

    lists = info_lists({f"a_metric_with_a_long_name_{number:05}": curve(2000) for number in range(metrics)})
    assert sum(map(len, lists.values())) <= MOST_NUMBERS
    assert len(bson.encode({"info": lists})) < MOST_BYTES / 3


def test_names_that_mongodb_would_take_for_paths_are_changed() -> None:
    assert set(info_lists({"a.b$c": curve(1)})) == {"a_b_c", "a_b_c_T"}


def test_epymarls_keys_stand_at_the_top_and_go_again() -> None:
    config = {"lr": 1, "env_args": {"common_reward": False}}
    shown = as_readers_expect(config)
    assert shown == {**config, "common_reward": False, "reward_scalarisation": "sum"}
    assert set(CONFIG_KEYS) <= set(shown)
    assert as_configured(shown) == config
    assert as_readers_expect({"env_args": None})["common_reward"] is True
