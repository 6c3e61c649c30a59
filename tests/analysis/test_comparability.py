"""What may not stand side by side, and what may."""

from collections.abc import Callable
from typing import Any

import pytest

from cohort.analysis.comparability import between_curves, refuse, within_curve, worth_a_note
from cohort.analysis.folders import FolderRun
from cohort.errors import UserError

POINTS = [(step, {"test_return_mean": 1.0}) for step in (0, 400, 800, 1200)]


@pytest.mark.parametrize(
    ("changed", "what", "values"),
    [
        ({"facts": {"sc2_base_build": 90000}}, "the game's sc2_base_build", {"75689", "90000"}),
        ({"env_args": {"reset_noise": 0.5}}, "env_args.reset_noise", {"0.0", "0.5"}),
        ({"updates_per_step": 0.5}, "updates per episode", {"about 1", "about 2"}),
    ],
)
def test_other_games_and_other_ratios_do_not_compare(
    write_run: Callable[..., FolderRun], changed: dict[str, Any], what: str, values: set[str]
) -> None:
    facts = {"facts": {"sc2_base_build": 75689}, "points": POINTS}
    runs = [write_run("qmix", **facts), write_run("vdn", **facts), write_run("mnmpg", **(facts | changed))]
    (found,) = between_curves(runs)
    assert found.what == what
    assert set(found.runs) == values
    assert sorted(map(len, found.runs.values())) == [1, 2]
    assert between_curves(runs[:2]) == []


def test_a_game_that_changed_within_a_run_is_another_game(write_run: Callable[..., FolderRun]) -> None:
    runs = [write_run("qmix", facts={"build": 1}), write_run("vdn", facts={"build": 1})]
    runs[0].sessions.append({**runs[0].sessions[0], "environment": {"build": 2}})
    assert [set(found.runs) for found in between_curves(runs)] == [{"1", "1 then 2"}]


def test_what_is_no_game_or_varied_or_unsaid_does_not_differ(write_run: Callable[..., FolderRun]) -> None:
    one = write_run("qmix", facts={"build": 1}, env_args={"compile": True, "reset_noise": 0.5})
    other = write_run("vdn", env_args={"compile": False, "new": 3}, updates_per_step=0.26)
    assert [found.what for found in between_curves([one, other])] == ["env_args.reset_noise"]
    assert between_curves([one, other], varied={"env_args.reset_noise"}) == []


def test_seeds_of_one_curve_share_their_method(write_run: Callable[..., FolderRun]) -> None:
    runs = [write_run(seed=1), write_run(seed=2, config={"lr": 1e-3}), write_run(seed=3, config={"t_max": 7})]
    assert [(one.what, set(one.runs)) for one in within_curve(runs)] == [("lr", {"0.0005", "0.001"})]
    assert within_curve([runs[0], runs[2]]) == []


def test_runs_from_before_weights_were_taken_over_go_with_those_that_took_none(
    write_run: Callable[..., FolderRun],
) -> None:
    old, new = (
        write_run(seed=1),
        write_run(seed=2, config={"transfer_from": "", "save_best": "test_return_mean"}),
    )
    moved = write_run(seed=3, config={"transfer_from": "results/3m"})
    assert within_curve([old, new]) == []
    assert [found.what for found in within_curve([old, new, moved])] == ["transfer_from"]


def test_how_runs_were_tested_parts_seeds_and_gets_a_note_between_methods(
    write_run: Callable[..., FolderRun],
) -> None:
    """Runs from before the key was there were tested greedily."""
    old, greedy, drawn = (
        write_run(seed=1),
        write_run(seed=2, config={"test_greedy": True}),
        write_run(seed=3, config={"test_greedy": False}),
    )
    assert within_curve([old, greedy]) == worth_a_note([old, greedy]) == []
    (found,) = within_curve([old, greedy, drawn])
    assert (found.what, set(found.runs)) == ("test_greedy", {"True", "False"})
    other = write_run("vdn", config={"test_greedy": False})
    assert [found.short() for found in worth_a_note([old, other])] == ["test_greedy: True / False"]


def test_two_methods_are_one_difference(write_run: Callable[..., FolderRun]) -> None:
    runs = [write_run("qmix", 1), write_run("vdn", 2, config={"new": 1})]
    assert [found.what for found in within_curve(runs)] == ["method"]


def test_the_same_seed_does_not_count_twice(write_run: Callable[..., FolderRun]) -> None:
    runs = [write_run(seed=1), write_run(seed=1, suffix="_again"), write_run(seed=2)]
    (found,) = within_curve(runs)
    assert found.runs == {"seed 1": ["qmix__3m__seed1", "qmix__3m__seed1_again"]}
    assert within_curve([runs[0], write_run(seed=1, env_args={"map_name": "8m"})]) == []


def test_commits_and_parallel_games_get_a_note(write_run: Callable[..., FolderRun]) -> None:
    runs = [write_run("qmix", config={"batch_size_run": 8}), write_run("vdn", commit="b" * 40)]
    assert [found.short() for found in worth_a_note(runs)] == [
        "commit: aaaaaaa / bbbbbbb",
        "batch_size_run: 8 / no such key",
    ]
    assert between_curves(runs) == []


def test_a_refusal_names_runs_values_and_the_way_out(write_run: Callable[..., FolderRun]) -> None:
    refuse([], "3m: runs", "Type x.")
    runs = [write_run(seed=seed, config={"lr": 1e-3 if seed == 1 else 5e-4}) for seed in range(1, 7)]
    with pytest.raises(UserError) as caught:
        refuse(within_curve(runs), "3m: the runs of the curve 'qmix'", "Type x.")
    assert str(caught.value).splitlines() == [
        "3m: the runs of the curve 'qmix' differ in",
        "lr:",
        "  0.001: qmix__3m__seed1",
        "  0.0005: qmix__3m__seed2, qmix__3m__seed3, qmix__3m__seed4 and 2 more",
        "Type x.",
    ]
