"""`run.py claims adama` as it is typed: the nine statements on made-up runs, by hand."""

import csv
import io
from collections.abc import Callable
from functools import partial
from math import sqrt
from pathlib import Path

import pytest

from cohort.analysis.folders import FolderRun, find_runs
from cohort.cli import main
from cohort.errors import UserError
from papers.adama.claims import concentration, rises
from papers.adama.tables import wilson
from papers.commands import claims as commands
from papers.commands.claims import BRIEF, HEADINGS, verdicts

WriteArm = Callable[..., FolderRun]


@pytest.fixture
def judged(
    judge: Callable[..., dict[str, list[dict[str, str]]]],
) -> Callable[..., dict[str, list[dict[str, str]]]]:
    """The rows of each statement under their headings."""
    return partial(judge, "adama")


def write_ends(write_arm: WriteArm, config: str, world: str, *ends: float, **typed: object) -> None:
    """One run for each seed from 1, which is at 0 but for the last tenth of its episodes."""
    for seed, end in enumerate(ends, start=1):
        write_arm(config, world, seed, [0.0] * 9 + [end], **typed)


def test_statement_1_is_the_late_reward_paired_by_seed(write_arm: WriteArm, judged: Callable) -> None:
    write_ends(write_arm, "adama_direction", "going_together", -1.0, -1.2, -0.8)
    write_ends(write_arm, "maddpg_fixed_lr", "going_together", -2.0, -2.4, -1.6)
    together, prey = judged()["1"]
    assert together == dict(
        zip(
            HEADINGS,
            [
                "1",
                "Adaptive l_a direction ends above Fixed lr (Fig. 3a, c)",
                "going together",
                "Adaptive l_a direction -1.000 ± 0.200; Fixed lr -2.000 ± 0.400",
                f"+1.000 ± {0.2 / sqrt(3):.3f}",
                "[+0.503, +1.497]",  # 4.303 errors
                "3",
                "1, 2, 3, paired",
                "1k episodes",
                "0.013",
                "true",
            ],
            strict=True,
        )
    )
    assert (prey["where"], prey["measured (± sd)"], prey["verdict"]) == (
        "predator prey",
        "",
        "not run",
    )


def test_statement_2_is_the_area_under_the_first_half(write_arm: WriteArm, judged: Callable) -> None:
    for seed, start in ((1, 1.0), (2, 3.0), (3, 2.0)):
        write_arm("adama_magnitude", "clustering", seed, [start, start, -9.0, -9.0])
        write_arm("maddpg_fixed_lr", "clustering", seed, [0.0, 4.0, 9.0, 9.0])
    row = judged()["2"][2]
    assert (row["where"], row["verdict"]) == ("clustering", "not clear")
    assert row["difference (± se)"] == "+0.000 ± 0.577"  # 1 - 2, 3 - 2 and 2 - 2


def test_statement_3_wants_all_others_and_names_the_best(write_arm: WriteArm, judged: Callable) -> None:
    write_ends(write_arm, "adama", "predator_prey", 5.4, 5.6, 5.5)
    for place, method in enumerate(("maddpg_fixed_lr", "adama_direction", "adama_magnitude")):
        write_ends(write_arm, method, "predator_prey", place, place, place)
    (row,) = judged()["3"]
    assert (row["difference (± se)"], row["verdict"]) == ("", "not run")
    assert "AdaMa 5.500 ± 0.100; Fixed lr 0.000 ± 0.000" in row["measured (± sd)"]
    write_ends(write_arm, "maddpg_adagrad", "predator_prey", 1.0, 1.0, 1.0)
    (row,) = judged()["3"]
    assert row["where"] == "predator prey, against Adaptive l_c & |l_a|"
    assert (row["difference (± se)"], row["verdict"]) == ("+3.500 ± 0.058", "true")


def test_statements_4_6b_and_9_say_who_ends_above(write_arm: WriteArm, judged: Callable) -> None:
    write_ends(write_arm, "maddpg_fixed_lr", "going_together", 1.9, 2.0, 1.95)
    write_ends(write_arm, "maddpg_adagrad", "going_together", 3.1, 3.3, 3.2)
    write_ends(write_arm, "adama_magnitude", "going_together", 0.0, 0.0, 0.0)
    write_ends(write_arm, "adama_direction", "going_together", 1.0)
    write_ends(write_arm, "adama_direction_2nd", "going_together", 3.0)
    found = judged()
    assert [found[number][0]["difference (± se)"] for number in ("4", "6b", "9")] == [
        "-1.250 ± 0.029",
        "+1.950 ± 0.029",
        "+2.000",
    ]
    assert [found[number][0]["verdict"] for number in ("4", "6b", "9")] == [
        "not true",
        "true",
        "too few seeds",
    ]


def test_statement_5_is_how_far_rates_are_from_equal(write_arm: WriteArm, judged: Callable) -> None:
    logged = {
        "actor_lr_norm": [0.01, 0.01],
        "actor_lr_agent_0": [0.006, 0.01],
        "actor_lr_agent_1": [0.008, 0.0],
    }
    run = write_arm("adama_direction", "going_together", 1, [0.0, 0.0], logged=logged)
    assert concentration(run, 200) == pytest.approx((0.9 - sqrt(0.5)) / (1 - sqrt(0.5)))
    assert concentration(run, 100) == pytest.approx((0.8 - sqrt(0.5)) / (1 - sqrt(0.5)))
    equal = {f"actor_lr_agent_{i}": [0.005, 0.005] for i in range(4)} | {"actor_lr_norm": [0.01, 0.01]}
    for seed in (1, 2, 3):
        write_arm("adama_direction", "clustering", seed, [0.0, 0.0], logged=equal)
    clustering, together = judged()["5"][:2]
    assert (clustering["measured (± sd)"], clustering["verdict"]) == ("0.000 ± 0.000", "true")
    assert (together["where"], together["verdict"]) == ("going together", ""), "a number to compare with"
    assert together["measured (± sd)"] == "0.659"


def test_statement_6a_counts_how_far_l_c_rises(write_arm: WriteArm, judged: Callable) -> None:
    run = write_arm(
        "adama_magnitude", "going_together", 1, [0.0] * 4, logged={"critic_lr": [0.001, 0.005, 0.003, 0.009]}
    )
    assert rises(run, 400) == pytest.approx((0.004 + 0.006) / 0.008 / 400 * 10_000)
    assert rises(run, 100) is None
    write_arm(
        "adama_magnitude", "going_together", 2, [0.0] * 4, logged={"critic_lr": [0.005, 0.005, 0.003, 0.001]}
    )
    for seed in (1, 2):
        swings = {"critic_lr": [0.001, 0.009, 0.001, 0.009]}
        write_arm("adama_magnitude", "clustering", seed, [0.0] * 4, logged=swings)
    row = judged()["6a"][2]
    assert row["where"] == "going together, against clustering"
    assert (
        row["difference (± se)"] == "+34.375 ± 15.625"
    )  # 50 against 31.25 and 0, whose standard error is 15.625
    assert row["verdict"] == "too few seeds"


def test_statement_7_holds_all_means_against_a_margin(write_arm: WriteArm, judged: Callable) -> None:
    for m, ends in ((40.0, (1.0, 1.2, 1.1)), (50.0, (1.01, 1.2, 1.12)), (60.0, (1.0, 1.22, 1.1))):
        write_ends(write_arm, "adama", "predator_prey", *ends, adama_m=m)
    (row,) = judged()["7"]
    assert row["where"] == "predator prey, AdaMa"
    assert row["measured (± sd)"] == "m = 40: 1.100 ± 0.100; m = 50: 1.110 ± 0.095; m = 60: 1.107 ± 0.110"
    assert row["difference (± se)"] == "0.010 apart, margin 0.25"
    assert row["verdict"] == "true"
    (row,) = judged("--where", "config.adama_m<60")["7"]
    assert row["verdict"] == "not run"


def test_statement_8_is_the_share_of_updates_outside(write_arm: WriteArm, judged: Callable) -> None:
    for seed, near in ((1, 0.19), (2, 0.21), (3, 0.2)):
        logged = {"critic_contribution": [1.0, 1.0], "critic_contribution_near_m": [near, near]}
        write_arm("adama", "predator_prey", seed, [0.0, 0.0], logged=logged)
    magnitude, adama = judged()["8"]
    assert magnitude["verdict"] == "not run"
    assert adama["measured (± sd)"] == "0.800 ± 0.010"
    assert (adama["difference (± se)"], adama["verdict"]) == ("+0.300 ± 0.006", "true")


def test_runs_are_compared_over_what_they_have_in_common(write_arm: WriteArm, judged: Callable) -> None:
    for seed in (1, 2):
        write_arm("adama_direction", "going_together", seed, [0.0] * 10 + [9.0] * 10)
        write_arm("maddpg_fixed_lr", "going_together", seed, [-1.0] * 10)
    row = judged()["1"][0]
    assert (row["difference (± se)"], row["length"]) == ("+1.000 ± 0.000", "1k of 2k episodes")


def test_markdown_and_terminal_say_how(
    write_arm: WriteArm, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ends(write_arm, "adama", "going_together", 1.0)
    assert main(["claims", "adama", str(results), "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| " + " | ".join(HEADINGS) + " |"
    hows = [line for line in lines if line.startswith("- ")]
    assert [line[2:].partition(":")[0] for line in hows] == [
        *"123",
        "3b",
        *"45",
        "6a",
        "6b",
        *"789",
        "Verdict",
    ]
    assert main(["claims", "adama", str(results)]) == 0
    said = capsys.readouterr().out
    assert "over the last tenth of the episodes: Adaptive l_a direction minus Fixed lr" in said
    assert "  python run.py --config=adama" in said
    assert main(["claims", "adama", str(results), "--brief", "--markdown"]) == 0
    brief = capsys.readouterr().out.splitlines()
    assert brief[0] == "| " + " | ".join(BRIEF) + " |"
    assert len(brief) == sum(line.startswith("| ") for line in lines), "as many rows, and nothing else"
    assert main(["claims", "mnmpgg", str(results)]) == 2
    assert "unknown paper 'mnmpgg'" in capsys.readouterr().err


def test_a_run_that_diverged_is_named(write_arm: WriteArm, judged: Callable) -> None:
    write_ends(write_arm, "adama_direction", "going_together", 1.0)
    write_arm("maddpg_fixed_lr", "going_together", 3, [0.0, float("nan")])
    row = judged()["1"][0]
    assert row["measured (± sd)"].endswith("; diverged: maddpg_fixed_lr seed 3")
    assert row["length"] == "100 of 1k episodes"


def test_statement_3b_is_against_fixed_rates_that_were_searched(
    write_arm: WriteArm, judged: Callable
) -> None:
    write_ends(write_arm, "adama", "cooperative_navigation", -0.50, -0.51, -0.52)
    write_ends(write_arm, "maddpg_fixed_lr", "cooperative_navigation", -0.8, -0.8, -0.8)
    assert {row["verdict"] for row in judged()["3b"]} == {"not run"}, (
        "Table 1's rates are not those of the search"
    )
    pair = {"critic_lr": 0.009, "actor_lr_norm": 0.009}
    write_ends(write_arm, "maddpg_fixed_lr", "cooperative_navigation", -0.4, -0.41, -0.41, **pair)
    (row,) = (row for row in judged()["3b"] if row["where"] == "cooperative navigation")
    assert (row["difference (± se)"], row["verdict"]) == ("-0.103 ± 0.003", "not true")


def test_tables_of_divergence_and_of_a_search(
    write_arm: WriteArm, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("adama", "going_together", 1, [0.0] * 4, logged={"critic_lr_curvature": [1.0, 1.0, 2.5, 1.5]})
    write_arm("adama", "going_together", 2, [0.0, float("nan")])
    assert main(["table", "adama-stability", str(results), "--form", "csv"]) == 0
    said = capsys.readouterr().out
    assert 'going together,AdaMa,2,1,"0.50 [0.09, 0.91]",1.25,2.50,25%' in said
    for seed in (101, 102):
        for rate, end in ((0.003, -20.0), (0.009, -10.0)):
            logged = {"test_return_mean": [end], "test_ep_length_mean": [10.0]}
            pair = {"critic_lr": rate, "actor_lr_norm": rate}
            write_arm("maddpg_fixed_lr", "going_together", seed, [-5.0], logged=logged, **pair)
    assert main(["table", "adama-search", str(results), "--form", "csv"]) == 0
    found = list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:3]
    assert [row[1:] for row in found] == [
        ["0.009", "0.009", "2", "101, 102", "0", "-1.000", "-5.000"],
        ["0.003", "0.003", "2", "101, 102", "0", "-2.000", "-5.000"],
    ]


def test_wilsons_interval() -> None:
    """No event in three runs leaves a share of up to 0.56 possible."""
    assert wilson(0, 3) == pytest.approx((0.0, 0.5615), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_a_report_has_the_rows_that_its_runs_are_of(write_arm: WriteArm, results: Path) -> None:
    write_ends(write_arm, "adama_direction", "going_together", -1.0)
    assert verdicts(find_runs([results])) == []  # one method with one seed decides nothing
    write_ends(write_arm, "maddpg_fixed_lr", "going_together", -2.0, -2.4, -1.6)
    for seed in (2, 3):
        write_arm("adama_direction", "going_together", seed, [0.0] * 9 + [-1.0])
    (found,) = verdicts(find_runs([results]))
    assert (found.paper, found.headings) == ("adama", HEADINGS)
    rows = [dict(zip(HEADINGS, row, strict=True)) for row in found.rows]
    assert (rows[0][""], rows[0]["where"], rows[0]["verdict"]) == ("1", "going together", "true")
    assert all(row["measured (± sd)"] for row in rows)
    assert any("more rows: run.py claims adama" in note for note in found.notes)


def test_a_report_says_what_a_paper_refuses(
    results: Path, monkeypatch: pytest.MonkeyPatch, write_run: Callable
) -> None:
    write_run()

    def refuse(name: str, runs: object) -> None:
        raise UserError(f"{name} does not take these runs")

    monkeypatch.setattr(commands, "tested", refuse)
    assert ("adama does not take these runs",) in [
        row for one in verdicts(find_runs([results])) for row in one.rows
    ]
