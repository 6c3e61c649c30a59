"""`run.py claims meta_mapg` and `run.py table meta_mapg-q3` as they are typed, on made-up runs, by hand."""

import csv
import io
from collections.abc import Callable
from functools import partial
from math import sqrt
from pathlib import Path

import pytest

from cohort.analysis.folders import FolderRun
from cohort.cli import main

WriteChains = Callable[..., FolderRun]
ChainMetrics = Callable[..., dict[str, float]]
Rows = dict[str, list[dict[str, str]]]


@pytest.fixture
def judged(judge: Callable[..., Rows]) -> Callable[[], Rows]:
    """The rows of each statement under their headings."""
    return partial(judge, "meta_mapg")


def test_the_best_of_the_others_is_who_must_be_beaten(
    write_chains: WriteChains, chain_metrics: ChainMetrics, judged: Callable[[], Rows]
) -> None:
    for seed, more in ((1, 0.0), (2, 0.2), (3, 0.1)):
        for method, auc in (("meta_mapg", 5.0 + more), ("meta_pg", 1.0), ("reinforce", 2.0)):
            write_chains(method, "ipd", seed, chain_metrics([0.0, auc]))
    assert judged()["1"][0]["verdict"] == "not run", "LOLA-DiCE has none"
    for seed in (1, 2, 3):
        write_chains("lola_dice", "ipd", seed, chain_metrics([0.0, 1.0]), look_aheads=3)
    found = judged()
    cooperating, defecting = found["1"]
    assert cooperating["where"] == "IPD, cooperating, against REINFORCE"
    assert cooperating["difference (± se)"] == "+3.100 ± 0.058"  # 3.0, 3.2 and 3.1
    assert cooperating["seeds"] == "1, 2, 3, paired"
    assert (cooperating["n"], cooperating["95 % interval"]) == ("3", "[+2.852, +3.348]")  # 4.303 errors
    assert cooperating["length"] == "500 updates"
    assert (cooperating["verdict"], defecting["verdict"]) == ("true", "true")
    # these runs are also those with K = 64
    assert [row["verdict"] for row in found["7"]] == [*["not run"] * 4, "true"]
    assert found["7"][4]["where"] == "IPD, K = 64, against REINFORCE"


def test_what_happens_along_the_chain(write_chains: WriteChains, judged: Callable[[], Rows]) -> None:
    for seed, more in ((1, 0.0), (2, 0.1), (3, 0.05)):
        rewards = {
            f"test_reward_phi_{place}": reward
            for place, reward in enumerate([0.0, 0.9, *[0.5] * 5, 0.3 + more])
        }
        shares = {
            "test_action_cooperate_phi_0_cooperating": 0.9,
            "test_action_defect_phi_7_cooperating": 0.7 + more,
        }
        shares["test_peer_action_cooperate_phi_7_cooperating"] = 0.4
        write_chains("meta_mapg", "ipd", seed, rewards | shares)
        write_chains("meta_pg", "ipd", seed, {"test_action_defect_phi_0_cooperating": 0.8})
        contest = {f"test_reward_phi_{place}": -0.1 if place < 2 else 0.2 + more for place in range(8)}
        write_chains("meta_mapg", "rps", seed, contest)
    found = judged()
    assert found["2"][0]["difference (± se)"] == "+0.550 ± 0.029"  # 0.6, 0.5 and 0.55
    assert found["3"][0]["difference (± se)"] == "+0.300 ± 0.000"
    assert found["4"][0]["difference (± se)"] == "+0.400 ± 0.000"
    defects, cooperates = found["5"]
    assert (defects["difference (± se)"], defects["verdict"]) == ("+0.250 ± 0.029", "true")
    assert (cooperates["difference (± se)"], cooperates["verdict"]) == ("-0.100 ± 0.000", "not true")
    assert [row["difference (± se)"] for row in found["13"]] == ["+0.100 ± 0.000"] * 2 + ["+0.250 ± 0.029"]


def test_matches_distributions_models_players_and_ablations(
    write_chains: WriteChains, chain_metrics: ChainMetrics, judged: Callable[[], Rows]
) -> None:
    for seed, more in ((1, 0.0), (2, 0.2), (3, 0.1)):
        write_chains("meta_mapg", "ipd", seed, chain_metrics([0.0, 5.0 + more]))
        write_chains("meta_pg", "ipd", seed, chain_metrics([0.0, 1.0]))
        write_chains("meta_mapg_om", "ipd", seed, chain_metrics([0.0, 4.0]))
        write_chains("meta_mapg", "ipd", seed, chain_metrics([0.0, 3.0]), trajectories=4)
        write_chains("meta_mapg", "ipd", seed, chain_metrics([0.0, 3.5]), out_of_distribution=True)
        write_chains("meta_pg", "ipd", seed, chain_metrics([0.0, 1.5 + more]), out_of_distribution=True)
        for n in (3, 4):
            for method, auc in (("meta_mapg", 8.0 - n + more), ("meta_pg", 2.0)):
                write_chains(method, "rps", seed, chain_metrics([0.0, auc]), env_args={"n_agents": n})
        for method, auc in (
            ("meta_mapg", 2.0),
            ("meta_pg", 1.0 + more),
            ("meta_mapg_no_own", 2.5 + more),
            ("meta_mapg_own_constant", 1.7),
        ):
            write_chains(method, "rps", seed, chain_metrics([0.0, auc]))
    found = judged()
    differences = {number: [row["difference (± se)"] for row in rows] for number, rows in found.items()}
    assert differences["8"][0] == "+2.100 ± 0.058"
    assert differences["9"] == ["+1.600 ± 0.058", "-0.600 ± 0.058"]
    assert [row["verdict"] for row in found["9"]] == ["true", ""]
    assert differences["10"] == ["+1.900 ± 0.058"]
    assert differences["11"] == ["+3.000 ± 0.000", "+1.100 ± 0.058"]
    assert differences["14"] == ["+3.100 ± 0.058", "+2.100 ± 0.058"]
    assert differences["15"] == ["+1.000 ± 0.000", "+0.000 ± 0.000"]
    assert [(row["where"], row["difference (± se)"], row["verdict"]) for row in found["16"]] == [
        ("RPS, against Meta-PG", "+0.900 ± 0.058", "true"),
        ("RPS, against No own learning", "-0.600 ± 0.058", "not true"),
        ("RPS, against Own updates constant", "+0.300 ± 0.000", "true"),
    ]


def test_halfcheetahs_two_learners_are_alike_and_above_the_others(
    write_chains: WriteChains, judged: Callable[[], Rows]
) -> None:
    for seed, more in ((1, 0.0), (2, 4.0), (3, 2.0)):
        for method, level in (
            ("meta_mapg", 50.0),
            ("meta_pg", 52.0),
            ("reinforce", 10.0),
            ("lola_dice", 20.0),
        ):
            returns = {f"test_return_phi_{place}": level + more + 3 * place for place in range(3)}
            write_chains(method, "halfcheetah_dir", seed, returns, teammates="results/pair")
    found = judged()
    (alike,) = found["17"]
    assert (alike["difference (± se)"], alike["verdict"]) == ("2.000 apart, margin 40", "true")
    assert [row["where"] for row in found["18"]] == [
        f"HalfCheetah, {ours}, against LOLA-DiCE" for ours in ("Meta-MAPG", "Meta-PG")
    ]
    assert [row["difference (± se)"] for row in found["18"]] == ["+30.000 ± 0.000", "+32.000 ± 0.000"]


def test_question_3s_table_stands_beside_the_papers(
    write_chains: WriteChains, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def aucs(value: float) -> dict[str, float]:
        return {"test_auc": value, "test_auc_above": value + 7}

    for seed, more in ((1, 0.0), (2, 0.5), (3, 1.0)):
        write_chains("meta_mapg", "ipd", seed, aucs(6.0 + more))
        write_chains("meta_mapg", "ipd", seed, aucs(4.0), out_of_distribution=True)
    write_chains("meta_pg", "ipd", 1, aucs(1.0))
    words = ["table", "meta_mapg-q3", str(results)]
    assert main([*words, "--form", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["method"], row["personas"]) for row in rows] == [
        (method, where) for method in ("Meta-MAPG", "Meta-PG") for where in ("in", "out", "in - out")
    ]
    inside, outside, drop, alone, nothing, _ = rows
    assert inside["seeds"] == "1, 2, 3"
    assert inside["updates"] == "500"
    assert inside["AUC"] == f"6.50 ± {0.5 / sqrt(3):.2f} [6.00, 7.00]"
    assert inside["AUC above -1"].startswith("13.50 ± 0.29")
    assert inside["paper"] == "13.77 ± 0.25"
    assert outside["AUC"] == "4.00 ± 0.00 [4.00, 4.00]"
    assert drop["AUC"] == "+2.50 ± 0.29"
    assert (alone["AUC"], nothing["AUC"]) == ("1.00", "")
    assert main([*words, "--markdown"]) == 0
    said = capsys.readouterr().out
    assert "| Meta-MAPG | in | 1, 2, 3 | 500 | 6.50 ± 0.29 [6.00, 7.00] |" in said
    assert "\n- AUC: the reward's sum over phi_1 .. phi_L" in said
    assert main(words) == 0
    assert (
        "--config=meta_pg --env-config=ipd with seed=1..5 out_of_distribution=True\n"
        in capsys.readouterr().out
    )
    write_chains("meta_mapg_exact", "ipd", 1, aucs(5.0))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Meta-MAPG (exact)" in said
    assert "(exact): not in the paper" in said
