"""`run.py figure` as it is typed: which runs are drawn, what is missing, and the numbers of AdaMa's figures."""

from collections.abc import Callable
from math import sqrt
from pathlib import Path

import pytest

from cohort.analysis.folders import FolderRun
from cohort.analysis.runs import Run
from cohort.cli import main
from papers.figure_spec import FigureSpec
from papers.registry import FIGURES

WriteArm = Callable[..., FolderRun]
DIRECTION, MAGNITUDE = "Adaptive $l_a$ direction", r"Adaptive $l_c$ & $\|l_a\|$"


def test_figure_3_is_mean_and_standard_deviation_of_rewards_per_step(
    write_arm: WriteArm, results: Path, drawn: list
) -> None:
    write_arm("adama", "going_together", 1, [-2.0, -1.0])
    write_arm("adama", "going_together", 2, [-1.0, 0.0])
    write_arm("maddpg_fixed_lr", "clustering", 1, [-4.0, -3.0])
    assert main(["figure", "adama-3", str(results)]) == 0
    ((panels, more),) = drawn
    assert [panel.title for panel in panels] == ["(a) going together", "(d) clustering"]
    assert list(panels[0].curves) == ["AdaMa"]
    curve = panels[0].curves["AdaMa"]
    assert list(curve.x) == [100, 200]
    assert list(curve.centre) == pytest.approx([-1.5, -0.5])
    assert list(curve.high - curve.centre) == pytest.approx([sqrt(0.5)] * 2)
    assert list(curve.centre - curve.low) == pytest.approx([sqrt(0.5)] * 2)
    assert list(panels[1].curves["Fixed lr"].centre) == [-4.0, -3.0]
    assert more["x_label"] == "episodes"
    assert panels[0].y_label == "mean reward per step"
    assert list(more["entries"])[:2] == ["AdaMa", "Fixed lr"], "colours do not depend on what is there"


def test_what_is_missing_is_said_with_its_command(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 3):
        write_arm("adama", "going_together", seed, [0.0, 1.0])
    for method in ("maddpg_fixed_lr", "adama_direction", "adama_magnitude"):
        for seed in range(1, 6):
            write_arm(method, "going_together", seed, [0.0, 1.0])
    assert main(["figure", "adama-3", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for what, command in (
        (
            "going together: seeds 2,4,5 of AdaMa",
            "--config=adama --env-config=going_together with seed=2,4,5",
        ),
        ("going together: AdaGrad", "--config=maddpg_adagrad --env-config=going_together with seed=1..5"),
        (
            "clustering: AdaMa, Fixed lr, Adaptive l_a direction, Adaptive l_c & |l_a|, AdaGrad",
            "--config=adama,maddpg_fixed_lr,adama_direction,adama_magnitude,maddpg_adagrad --env-config=clustering "
            "with seed=1..5",
        ),
    ):
        assert lines[lines.index(f"missing: {what}") + 1] == f"  python run.py {command}"
    assert "no runs: going together (AdaGrad);" in drawn[0][1]["notes"][-1]


def test_runs_of_the_files_configuration_are_the_arm(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("maddpg_fixed_lr", "going_together", 1, [1.0])
    for rate in (0.001, 0.002):  # a grid search beside it
        write_arm("maddpg_fixed_lr", "going_together", 1, [9.0], critic_lr=rate)
    words = ["figure", "adama-3", str(results)]
    assert main(words) == 0
    assert list(drawn[0][0][0].curves["Fixed lr"].centre) == [1.0]
    assert "Fixed lr: 2 runs of other configurations left out" in capsys.readouterr().out

    assert main([*words, "--where", "config.critic_lr=0.002"]) == 0
    panel, note = drawn[1][0][0], drawn[1][1]["notes"][0]
    assert list(panel.curves["Fixed lr"].centre) == [9.0]
    assert panel.marks == {"Fixed lr"}
    assert note == "* going together, Fixed lr: critic_lr=0.002, not as in src/config"

    assert main([*words, "--where", "config.critic_lr<0.003"]) == 2
    error = capsys.readouterr().err
    for text in ("the runs of maddpg_fixed_lr differ in", "critic_lr:", "Choose with --where"):
        assert text in error


def test_runs_that_may_still_go_on_wait_for_their_place(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("adama", "going_together", 1, [0.0, 1.0])
    write_arm("adama", "going_together", 2, [8.0, 8.0], status={"state": "FAILED"})
    write_arm("adama", "going_together", 3, [9.0], status={"state": "INTERRUPTED"})
    write_arm("adama", "clustering", 1, [5.0], status={"state": "INTERRUPTED"})
    assert main(["figure", "adama-3", str(results)]) == 0
    together, clustering = drawn[0][0]
    assert list(together.curves["AdaMa"].centre) == [4.0, 4.5]
    assert list(clustering.curves["AdaMa"].centre) == [5.0], "nothing else is there yet"
    said = capsys.readouterr().out
    assert "left out beside those that are: adama__3m__seed3_going_together" in said
    assert "going together: seeds 4,5 of AdaMa" in said, "nobody needs to start seed 3 anew"


def test_other_games_are_refused(
    write_arm: WriteArm, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("adama", "going_together", 1, [0.0])
    write_arm("maddpg_fixed_lr", "going_together", 1, [0.0], env_args={"world_size": 9.0})
    assert main(["figure", "adama-3", str(results)]) == 2
    assert "env_args.world_size" in capsys.readouterr().err


def test_figure_4_is_each_actors_share_in_one_run(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, first in ((2, 0.6), (3, 0.8)):
        logged = {
            "actor_lr_norm": [0.005, 0.01],
            "actor_lr_agent_0": [0.005 * first, 0.01 * first],
            "actor_lr_agent_1": [0.005 * sqrt(1 - first**2), 0.01 * sqrt(1 - first**2)],
        }
        write_arm("adama_direction", "going_together", seed, [0.0, 0.0], logged=logged)
    words = ["figure", "adama-4", str(results)]
    assert main(words) == 0
    ((panel,), more) = drawn[0]
    assert panel.title == "(a) going together"
    assert {label: list(curve.centre) for label, curve in panel.curves.items()} == {
        "agent 1": pytest.approx([0.6, 0.6]),
        "agent 2": pytest.approx([0.8, 0.8]),
    }
    assert panel.levels == {"all alike": pytest.approx(sqrt(0.5))}
    assert not panel.counted
    assert "seeds: (a) 2" in more["caption"]
    assert "--config=adama_direction --env-config=predator_prey with seed=1\n" in capsys.readouterr().out
    assert main([*words, "--where", "seed=3"]) == 0
    assert list(drawn[1][0][0].curves["agent 1"].centre) == pytest.approx([0.8, 0.8])


def test_figure_5_is_the_rates_of_critic_and_actors(write_arm: WriteArm, results: Path, drawn: list) -> None:
    logged = {"critic_lr": [0.002, 0.009], "actor_lr_norm": [0.008, 0.001]}
    write_arm("adama_magnitude", "predator_prey", 1, [0.0, 0.0], logged=logged)
    write_arm("adama", "predator_prey", 1, [0.0, 0.0], logged={"critic_lr": [9.0, 9.0]})
    assert main(["figure", "adama-5", str(results)]) == 0
    ((panel,), _) = drawn[0]
    assert panel.title == "(c) predator prey"
    assert {label: list(curve.centre) for label, curve in panel.curves.items()} == {
        "$l_c$": [0.002, 0.009],
        r"$\|l_a\|$": [0.008, 0.001],
    }


def test_figure_6_has_the_second_order_and_misses_nothing_that_the_paper_lacks(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("adama_direction", "cooperative_navigation", 1, [0.0])
    write_arm("adama_direction_2nd", "cooperative_navigation", 1, [1.0])
    assert main(["figure", "adama-6", str(results)]) == 0
    ((panel,), _) = drawn[0]
    assert {label: list(curve.centre) for label, curve in panel.curves.items()} == {
        DIRECTION: [0.0],
        f"{DIRECTION} (2nd)": [1.0],
    }
    assert "adama_2nd " not in capsys.readouterr().out
    write_arm("adama_2nd", "cooperative_navigation", 1, [2.0])
    assert main(["figure", "adama-6", str(results)]) == 0
    assert list(drawn[1][0][0].curves)[-1] == "AdaMa (2nd), not in the paper"


def test_figure_7_has_a_line_for_each_m_and_levels_about_it(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for m, reward in ((40.0, 1.0), (50.0, 2.0), (60.0, 3.0)):
        logged = {
            "critic_contribution": [30.0, 70.0],
            "critic_contribution_near_m": [0.1, 0.3],
            "adama_m": [m, m],
        }
        write_arm("adama", "predator_prey", 1, [0.0, reward], logged=logged, adama_m=m)
    write_arm("maddpg_fixed_lr", "predator_prey", 1, [0.0, 9.0])
    assert main(["figure", "adama-7", str(results)]) == 0
    (rewards, contribution), more = drawn[0]
    assert rewards.title == "(a) predator prey, AdaMa"
    assert {label: curve.centre[-1] for label, curve in rewards.curves.items()} == {
        "m = 40": 1.0,
        "m = 50": 2.0,
        "m = 60": 3.0,
        "Fixed lr": 9.0,
    }
    assert list(contribution.curves["seed 1"].centre) == [30.0, 70.0]
    assert contribution.levels == {"0.8 m = 40": 40.0, "1.2 m = 60": 60.0}
    assert contribution.log
    assert "D was outside these levels in 80 % of the updates" in " ".join(more["notes"])
    assert (
        "--config=adama --env-config=predator_prey with seed=2..5 adama_m=40,50,60" in capsys.readouterr().out
    )


def test_figure_7_misses_a_fifth_below_and_above(
    write_arm: WriteArm, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("adama_magnitude", "predator_prey", 1, [0.0])
    assert main(["figure", "adama-7", str(results)]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    what = "missing: predator prey: Adaptive l_c & |l_a|, m = 40, Adaptive l_c & |l_a|, m = 60"
    assert lines[lines.index(what) + 1] == (
        "  python run.py --config=adama_magnitude --env-config=predator_prey with seed=1..5 adama_m=40,60"
    )


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("adama")])
def test_every_figure_is_drawn(write_arm: WriteArm, results: Path, tmp_path: Path, name: str) -> None:
    rates = {"critic_lr": 0.005, "actor_lr_norm": 0.005, "actor_lr_agent_0": 0.003, "actor_lr_agent_1": 0.004}
    logged = {key: [value] * 3 for key, value in rates.items()}
    logged |= {
        "critic_contribution": [1.0, 9.0, 4.0],
        "critic_contribution_near_m": [0.5] * 3,
        "adama_m": [5.0] * 3,
    }
    for method in ("adama_direction", "adama_magnitude"):
        for world in ("going_together", "predator_prey"):
            for seed in (1, 2):
                write_arm(method, world, seed, [seed, 0.0, 1.0], logged=logged)
    out = tmp_path / "figure.png"
    assert main(["figure", name, str(results), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def every_run(runs: list[Run]) -> FigureSpec:
    """A figure that this repository does not know."""
    return FigureSpec([], "steps", "", missing={f"{len(runs)} runs": "do this"})


def test_a_figure_of_ones_own_and_mistakes(
    write_arm: WriteArm, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_arm("adama", "going_together", 1, [0.0])
    for words, said in (
        ([f"{__name__}:every_run"], "nothing to draw.\nmissing: 1 runs\n  do this"),
        ([f"{__name__}:no_such"], "cannot be imported"),
        (["adama3"], "unknown figure 'adama3'. Did you mean 'adama-3'"),
        (["adama-3", "--out", "x.gif"], "must end in .png, .svg, .pdf"),
        (["adama-5"], "--config=adama_magnitude --env-config=clustering with seed=1"),
    ):
        assert main(["figure", words[0], str(results), *words[1:]]) == 2
        assert said in capsys.readouterr().err
