"""MAMT's figures, tables and claims on made-up runs, by hand."""

import csv
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cohort.analysis.folders import FolderRun
from cohort.cli import main
from cohort.configuration import files
from papers.mamt import arms
from papers.mamt.arms import AGENTS, DECOMPOSED, IN_TABLE, TASKS, arm
from papers.mamt.readings import mutual_attention, varying
from papers.mamt.tables import PAPER

# the paper's tables 3 to 7, where keys of ours have their numbers
OFF_POLICY = {
    "batch_size_run": 12, "updates_per_step": 0.04, "buffer_size": 1_000_000, "batch_size": 1024, "gamma": 0.99,
    "critic_lr": 0.001, "optim_eps": 1e-7, "standardise_rewards": True,
}  # fmt: skip
CRITIC = {"attention_heads": 4, "reward_scale": 100, "critic_grad_norm_clip": 10}
ACTORS = {"actor_lr": 0.001, "policy_penalty": 0.001, "actor_grad_norm_clip": 0.5}
MAAC_TABLE = OFF_POLICY | CRITIC | ACTORS
MAMD_TABLE = MAAC_TABLE | {"tsallis_q": 0.2, "old_policy_interval": 100}
TABLES = {
    arms.MAAC: MAAC_TABLE,
    arms.MAMD: MAMD_TABLE,
    arms.MAMT: MAMD_TABLE | {
        "modelling_penalty": 0.001, "modelling_grad_norm_clip": 0.5, "trd_grad_norm_clip": 10,
        "trust_region_clip": [0.01, 100], "coordination_threshold": 0.2,
    },
    arms.MADDPG: OFF_POLICY | ACTORS,
    arms.MAPPO: {
        "batch_size_run": 164,  # games of 25 steps: 4,100 of the table's 4,096
        "attention_heads": 4, "huber_delta": 10.0, "gae_lambda": 0.95, "gamma": 0.99, "lr": 0.001, "critic_lr": 0.001,
        "optim_eps": 1e-7, "grad_norm_clip": 10, "normalise_values": True,
    },
    arms.LOLA: OFF_POLICY | {"lookahead": False},  # LOLA is the Taylor form
}  # fmt: skip

FLAT = [-4.0] * 20  # return of a team, divided by ten; 100 episodes each
WriteArm = Callable[..., FolderRun]


@pytest.fixture
def judged(judge: Callable[..., dict]) -> Callable[..., dict[str, list[dict[str, str]]]]:
    return partial(judge, "mamt")


def logged(task: str, steps: int = 20, swing: float = 0.1, level: float = 0.5) -> dict[str, Sequence[float]]:
    """What MAMT logs of each agent and pair, with a swing to both sides of a level."""
    up = [level + swing * (-1) ** place for place in range(steps)]
    metrics = {"d_ns": [2.0 - 0.1 * place for place in range(steps)]}
    metrics |= {"trust_regions_within_budget": [1.0, 0.5] * (steps // 2)}
    for i in range(AGENTS[task]):
        metrics[f"kl_agent_{i}"] = [0.1 * (i + 1)] * steps
        metrics[f"trust_region_agent_{i}"] = [10.0 ** (4 * swing * (-1) ** place) for place in range(steps)]
        metrics |= {f"coordination_{i}_{j}": up for j in range(AGENTS[task]) if j != i}
        metrics |= {f"attention_{i}_{j}": [0.25 * (i + j)] * steps for j in range(AGENTS[task]) if j != i}
    return metrics


def table(number: str, results: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["table", f"mamt-{number}", str(results), "--form", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_the_paper_has_a_number_for_every_row() -> None:
    assert {task: len(row) for task, row in PAPER.items()} == {"spread": 10} | dict.fromkeys(TASKS[1:], 9)
    for task, row in PAPER.items():
        assert set(row) == {label for label in IN_TABLE if arms.plays(label, task)}


def test_each_task_has_as_many_agents_as_the_paper() -> None:
    for task in (*TASKS, *DECOMPOSED):
        given = files.read(files.find("--env-config", task))["env_args"]
        n = given.get(
            "n_agents", given.get("n_pursuers", given.get("n_walkers", 2 * given.get("n_pairs", 0)))
        )
        assert n == AGENTS[task]
        assert given["common_reward"] is False


def test_mamd_op_constrains_those_that_depend_on_each_other() -> None:
    keys = [arm(arms.OPTIMAL, task).published["constrained_agents"] for task in DECOMPOSED]
    assert keys == [[], [0, 2], "all"]


def test_returns_are_an_agents_over_the_last_thousand_episodes(
    write_arm: WriteArm, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty times a hundred episodes: the last ten count."""
    tests = {"test_return_mean": [0.0] * 10 + [-60.0] * 10}
    for seed, end in ((1, -8.0), (2, -8.4)):
        write_arm("mamt", "spread", seed, [-50.0] * 10 + [end] * 10, logged=tests)
    write_arm("maac", "rover_tower", 3, [80.0] * 20)
    write_arm("maac", "spread", 9, [1.0] * 20, env_args={"self_collision": False})  # another experiment
    rows = {(row["task"], row["method"]): row for row in table("10", results, capsys)}
    assert len(rows) == 10 + 9 + 9 + 9
    mamt = rows["Spread", "MAMT"]
    assert mamt["last 1000 training episodes"] == "-41.00 ± 1.41"
    assert mamt["greedy tests in them"] == "-30.00 ± 0.00"
    assert (mamt["seeds"], mamt["episodes"], mamt["paper"]) == ("1, 2", "2,000", "-38.06 (0.69)")
    assert rows["Rover-Tower", "MAAC"]["last 1000 training episodes"] == "100.00"
    assert rows["Spread", "MAAC"]["seeds"] == ""
    assert ("Pursuit", "LOLA") not in rows


def test_the_budget_beside_the_papers_shares(
    write_arm: WriteArm, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("mamt", "spread", 1, FLAT, logged=logged("spread"))
    rows = table("2", results, capsys)
    assert [row["paper"] for row in rows] == ["0.9547", "0.9016", "0.8376", "0.8588"]
    assert [row["share within the budget"] for row in rows] == ["0.7500", "", "", ""]


def test_figure_2_is_of_an_agents_return_in_tests(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, value in (("mamt", -80.0), ("maac", -90.0), ("lola_dqn", -100.0)):
        write_arm(label, "spread", 1, FLAT, logged={"test_return_mean": [value] * 20})
    write_arm("mamt", "pursuit", 1, FLAT, logged={"test_return_mean": [160.0] * 20})
    assert main(["figure", "mamt-2", str(results)]) == 0
    ((spread, pursuit), more) = drawn[0]
    assert [spread.title, pursuit.title] == ["(a) Spread", "(d) Pursuit"]
    assert {label: curve.centre[-1] for label, curve in spread.curves.items()} == {
        "MAAC": -45.0, "MAMT": -40.0, "LOLA": -50.0,
    }  # fmt: skip
    assert pursuit.curves["MAMT"].centre[-1] == 20
    assert more["x_label"] == "episodes"
    assert "moving average over 11 values" in more["caption"]
    said = capsys.readouterr().out
    assert "--env-config=rover_tower with seed=1..3" in said
    assert "lola_dqn --env-config=rover_tower" not in said


def test_figures_3_and_4_are_of_each_task(write_arm: WriteArm, results: Path, drawn: list) -> None:
    for config in ("maac", "mamt"):
        write_arm(config, "spread", 1, FLAT, logged=logged("spread"))
    assert main(["figure", "mamt-3", str(results)]) == 0
    ((moved, unsteady), _) = drawn[0]
    assert {label: curve.centre[0] for label, curve in moved.curves.items()} == pytest.approx(
        {"MAAC": 0.15, "MAMT": 0.15}
    ), "the mean over agents"
    assert list(unsteady.curves["MAMT"].centre[:2]) == [2.0, 1.9]
    assert main(["figure", "mamt-4", str(results)]) == 0
    ((regions,), _) = drawn[1]
    mean = (10**0.4 + 10**-0.4) / 2
    assert list(regions.curves["MAMT"].centre) == pytest.approx([mean] * 2)
    assert list(regions.curves["MAMT"].low) == pytest.approx([10**-0.4] * 2)
    assert regions.log
    assert list(regions.levels.values()) == [0.01, 100.0]
    assert main(["figure", "mamt-4_time", str(results)]) == 0
    ((lines,), _) = drawn[2]
    assert list(lines.curves) == ["agent 1", "agent 2"]


def test_figure_5_has_bars_for_small_teams_and_maps_for_large_ones(
    write_arm: WriteArm, results: Path, drawn: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("spread", "rover_tower"):
        write_arm("mamt", task, 1, FLAT, logged=logged(task))
    assert main(["figure", "mamt-5", str(results)]) == 0
    ((bars, mean, deviation), _) = drawn[0]
    assert bars.ticks == ["12", "21"]
    assert list(bars.curves["MAMT"].centre) == pytest.approx([0.5, 0.5])
    assert list(bars.curves["MAMT"].high) == pytest.approx([0.6, 0.6])
    for panel, height in ((mean, 0.5), (deviation, 0.1)):
        assert panel.surface is not None
        assert panel.surface.z == pytest.approx(height * (1 - np.eye(8)))
    monkeypatch.undo()
    out = tmp_path / "figure.png"
    assert main(["figure", "mamt-5", str(results), "--where", "env=rover_tower", "--out", str(out)]) == 0
    assert out.stat().st_size > 10_000, "maps alone"


def test_figures_8_and_9_are_of_three_decompositions(write_arm: WriteArm, results: Path, drawn: list) -> None:
    whole = logged("spread3_mix") | {"test_return_mean": [-90.0] * 20}
    for config in ("maac", "mamd", "mamd_op"):
        write_arm(config, "spread3_mix", 1, FLAT, logged=whole)
    write_arm("mamd_op", "spread3_sep", 1, FLAT, logged=whole)
    write_arm(
        "mamd_op", "spread3_ful", 1, FLAT, logged=whole, constrained_agents=[0, 1]
    )  # another experiment
    assert main(["figure", "mamt-8", str(results)]) == 0
    (panels, _) = drawn[0]
    assert [(panel.title, list(panel.curves)) for panel in panels] == [
        ("(a) Spread-3-Sep", ["MAMD-OP"]),
        ("(b) Spread-3-Mix", ["MAAC", "MAMD", "MAMD-OP"]),
    ]
    assert panels[1].curves["MAAC"].centre[-1] == -30
    assert main(["figure", "mamt-9", str(results)]) == 0
    mixed = drawn[1][0][1]
    assert mixed.ticks == ["12", "13", "21", "23", "31", "32"]
    assert list(mixed.curves["MAMD-OP"].centre) == pytest.approx([0.25, 0.5, 0.25, 0.75, 0.5, 0.75])


def test_readings(write_arm: WriteArm) -> None:
    run = write_arm("mamt", "spread3_mix", 1, FLAT, logged=logged("spread3_mix"))
    assert varying("coordination")(run, 2000) == pytest.approx(0.1)
    assert varying("trust_region_agent", logarithm=True)(run, 2000) == pytest.approx(0.4)
    assert varying("never")(run, 2000) is None
    assert mutual_attention(0, 2)(run, 2000) == 0.5
    assert mutual_attention(1, 2)(run, 1e9) == 0.75


def test_claims_compare_what_an_agent_earns_in_the_end(write_arm: WriteArm, judged: Callable) -> None:
    ends = {"mamt": -8.0, "mamd": -8.1, "maac": -9.0, "mappo_attention": -9.5, "mamt_random": -8.0}
    ends |= {"mamt_fixed": -8.01, "mamt_ws": -8.5, "mamt_ppo": -9.0}
    for seed in (1, 2, 3):
        for config, end in ends.items():
            rewards = [-20.0 + 0.1 * seed] * 10 + [end + 0.1 * seed] * 10
            write_arm(
                config,
                "spread",
                seed,
                rewards,
                logged=logged("spread", swing=0.0) if config == "mamt" else {},
            )
        rover = logged("rover_tower", swing=0.1)
        write_arm("mamt", "rover_tower", seed, [80.0 + seed] * 20, logged=rover)
    found = judged()
    first = {number: rows[0] for number, rows in found.items()}
    assert {number: first[number]["verdict"] for number in ("0a", "1", "2", "3", "7")} == {
        "0a": "true", "1": "true", "2": "true", "3": "true", "7": "true",
    }  # fmt: skip
    assert first["1"]["where"] == "Spread"
    assert first["1"]["difference (± se)"].startswith("+5.000")
    assert first["5"]["verdict"] == "not true", "MA-PPO below MAAC in Spread"
    assert first["7"]["difference (± se)"].startswith("+1.800")
    assert [row["verdict"] for row in found["1"][1:]] == ["not run"] * 3
    apart = {row["where"]: row["difference (± se)"] for row in found["8"]}
    assert apart["C: Rover-Tower against Spread"].startswith("+0.100")
    assert apart["trust region: Rover-Tower against Spread"].startswith("+0.400")
    assert found["9"][0]["where"] == "Spread, the paper: 0.9547"
    assert found["9"][0]["verdict"] == "", "a number to compare with"


def test_claims_about_decompositions(write_arm: WriteArm, judged: Callable) -> None:
    for seed in (1, 2, 3):
        for config, end in (("maac", -9.0), ("mamd", -8.5), ("mamd_op", -8.0)):
            write_arm(config, "spread3_mix", seed, [end + 0.1 * seed] * 20, logged=logged("spread3_mix"))
    found = judged()
    assert [row["where"] for row in found["13"]] == [
        "Spread-3-Sep, against MAMD", "Spread-3-Mix, against MAMD", "Spread-3-Mix, against MAAC",
        "Spread-3-Ful, against MAAC",
    ]  # fmt: skip
    assert [row["verdict"] for row in found["13"]] == ["not run", "true", "true", "not run"]
    assert len(found["14"]) == 3


def test_rivals_are_compared_with_the_values_of_their_search_too(
    write_arm: WriteArm, judged: Callable
) -> None:
    ends = {"mamt": (-8.0, -7.8), "maac": (-9.0, -8.8), "maddpg": (-9.5, -7.0)}
    for seed in (1, 2, 3):
        for config, (usual, searched) in ends.items():
            label = {arms.METHODS[each]: each for each in arms.SEARCHED}[config]
            for end, typed in ((usual, {}), (searched, arms.SEARCHED[label])):
                write_arm(config, "spread", seed, [end + 0.1 * seed] * 20, **typed)
    found = judged()
    rows = {number: {row["where"]: row for row in found[number]} for number in ("1", "1b", "1c")}
    assert rows["1"]["Spread"]["difference (± se)"].startswith("+5.000")
    assert rows["1b"]["Spread, against MADDPG"]["difference (± se)"].startswith("+7.500")
    assert rows["1b"]["Spread, against MA-PPO"]["verdict"] == "not run"
    assert rows["1c"]["Spread, against MAAC"]["difference (± se)"].startswith("+5.000")
    against = rows["1c"]["Spread, against MADDPG"]
    assert against["difference (± se)"].startswith("-4.000")
    assert against["verdict"] == "not true"
    assert "MADDPG (searched) -34.000" in against["measured (± sd)"]


def test_a_sigma_that_keeps_coefficients_is_compared_apart(write_arm: WriteArm, judged: Callable) -> None:
    for seed in (1, 2, 3):
        for config, end, typed in (
            ("mamd", 80.0, {}),
            ("mamt", 88.0, {}),
            ("mamt", 96.0, {"coordination_threshold": 0.02}),
        ):
            write_arm(config, "rover_tower", seed, [end + seed] * 20, **typed)
    found = judged()
    rows = {number: {row["where"]: row for row in found[number]} for number in ("4", "4b")}
    assert rows["4"]["Rover-Tower"]["difference (± se)"].startswith("+10.000")
    assert rows["4b"]["Rover-Tower, against MAMD"]["difference (± se)"].startswith("+20.000")
    assert rows["4b"]["Rover-Tower, against MAMD"]["verdict"] == "true"
    assert rows["4b"]["Rover-Tower, against MAAC"]["verdict"] == "not run"


@pytest.mark.parametrize("label", TABLES)
def test_values_are_those_of_the_papers_tables(label: str) -> None:
    published = arm(label, arms.SPREAD).published
    assert {key: published.get(key) for key in TABLES[label]} == TABLES[label]
