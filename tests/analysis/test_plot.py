"""`run.py plot` as it is typed: what it draws, marks and refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cohort.analysis import plot
from cohort.analysis.figure import Panel, metric_label
from cohort.analysis.folders import FolderRun
from cohort.cli import main


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Panel], dict]]:
    """What would be drawn."""
    calls: list[tuple[list[Panel], dict]] = []
    monkeypatch.setattr(plot, "draw", lambda panels, path, **more: calls.append((list(panels), more)))
    return calls


def write_runs(
    write_run: Callable[..., FolderRun], maps: tuple[str, ...] = ("3m", "8m"), **more: object
) -> None:
    for method in ("qmix", "vdn"):
        for seed in (1, 2):
            for name in maps:
                points = [
                    (step, {"test_battle_won_mean": step / 2000, "loss": 1.0})
                    for step in (0, 1000, 1900 + seed)
                ]
                write_run(method, seed, points, env_args={"map_name": name}, **more)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_of_each_kind(
    write_run: Callable[..., FolderRun],
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    write_runs(write_run, maps=("8m",))
    out = tmp_path / "new" / f"figure.{kind}"
    assert main(["plot", str(results), "--metric", "test_battle_won_mean", "--out", str(out)]) == 0
    content = out.read_bytes()
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    assert str(out) in capsys.readouterr().out
    if kind == "svg":  # its text is text
        for text in (
            b"test win rate",
            b"environment steps",
            b"qmix (2)",
            b"vdn (2)",
            b"8m",
            b"95 % bootstrap interval",
        ):
            assert text in content, text
        again = tmp_path / "again.svg"
        assert main(["plot", str(results), "--metric", "test_battle_won_mean", "--out", str(again)]) == 0
        assert again.read_bytes() == content


def test_one_panel_per_map_and_metric_one_curve_per_method(
    write_run: Callable[..., FolderRun], results: Path, drawn: list
) -> None:
    write_runs(write_run)
    write_run("qmix", 3, config={"evaluate": True})  # an evaluation has no curve
    assert main(["plot", str(results), "--metric", "test_battle_won_mean,loss", "--aggregate", "mean"]) == 0
    ((panels, more),) = drawn
    assert [(panel.metric, panel.title) for panel in panels] == [
        ("test_battle_won_mean", "3m"), ("test_battle_won_mean", "8m"), ("loss", "3m"), ("loss", "8m"),
    ]  # fmt: skip
    assert list(panels[0].curves) == ["qmix", "vdn"]
    curve = panels[0].curves["qmix"]
    assert list(curve.x) == [0, 1000, 1901]
    assert list(curve.centre) == pytest.approx([0.0, 0.5, 0.95 + 0.0005], abs=1e-3)
    assert [run.seed for run in curve.runs] == [1, 2]
    assert more["caption"].startswith("mean over runs")
    assert more["notes"] == []


def test_by_a_key_of_the_configuration(
    write_run: Callable[..., FolderRun], results: Path, drawn: list
) -> None:
    for seed, lr in ((1, 1e-3), (2, 1e-3), (1, 5e-4)):
        write_run("qmix", seed, config={"lr": lr}, suffix=f"_{lr}")
    assert main(["plot", str(results)]) == 2
    assert main(["plot", str(results), "--by", "config.lr"]) == 0
    assert {label: len(curve.runs) for label, curve in drawn[0][0][0].curves.items()} == {
        "lr=0.0005": 1,
        "lr=0.001": 2,
    }
    assert main(["plot", str(results), "--by", "method,config.lr"]) == 0
    assert list(drawn[1][0][0].curves) == ["qmix, lr=0.0005", "qmix, lr=0.001"]
    assert main(["plot", str(results), "--by", "seed", "--where", "config.lr=0.001"]) == 0
    assert list(drawn[2][0][0].curves) == ["seed=1", "seed=2"]


def test_a_varied_argument_of_the_game_is_no_reason_to_refuse(
    write_run: Callable[..., FolderRun], results: Path, drawn: list
) -> None:
    for noise in (0.0, 0.5):
        write_run(env_args={"reset_noise": noise}, suffix=f"_{noise}")
    assert main(["plot", str(results), "--by", "method,seed,name"]) == 2
    assert main(["plot", str(results), "--by", "config.env_args.reset_noise"]) == 0
    assert list(drawn[0][0][0].curves) == ["reset_noise=0", "reset_noise=0.5"]


def test_mixed_builds_are_refused_or_marked(
    write_run: Callable[..., FolderRun], results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("qmix", facts={"sc2_base_build": 75689})
    write_run("vdn", facts={"sc2_base_build": 90000}, commit="b" * 40)
    assert main(["plot", str(results)]) == 2
    error = capsys.readouterr().err
    for text in ("sc2_base_build", "75689: qmix__3m__seed1", "90000: vdn__3m__seed1", "--allow-mixed"):
        assert text in error
    assert main(["plot", str(results), "--allow-mixed"]) == 0
    ((panels, more),) = drawn
    assert panels[0].marks == {"qmix", "vdn"}
    assert more["notes"] == ["* 3m: the game's sc2_base_build: 75689 / 90000", "commit: aaaaaaa / bbbbbbb"]


def test_one_maps_mixed_runs_do_not_forbid_the_others(
    write_run: Callable[..., FolderRun], results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs(write_run)
    odd = write_run(
        "qmix",
        3,
        [(0, {"test_battle_won_mean": 0.0}), (2000, {"test_battle_won_mean": 1.0})],
        config={"lr": 1},
    )
    assert main(["plot", str(results), "--metric", "test_battle_won_mean"]) == 0
    ((panels, more),) = drawn
    assert [panel.title for panel in panels] == ["8m"]
    assert not any(odd is run for curve in panels[0].curves.values() for run in curve.runs)
    assert "left out, because its runs must not share a panel: 3m" in more["notes"]
    said = capsys.readouterr()
    assert "4 runs" in said.out
    assert "3m: the runs of the curve 'qmix' differ in" in said.err
    assert odd.name in said.err


def test_the_same_map_of_two_environments_has_two_panels(
    write_run: Callable[..., FolderRun], results: Path, drawn: list
) -> None:
    write_run("qmix")
    write_run("qmix", config={"env": "sc2"}, suffix="_real", facts={"sc2_base_build": 75689})
    assert main(["plot", str(results)]) == 0
    assert [panel.title for panel in drawn[0][0]] == ["3m (sc2)", "3m (sc2_sim)"]


def test_a_curve_that_ends_early_says_so(
    write_run: Callable[..., FolderRun], results: Path, drawn: list
) -> None:
    for seed, end in ((1, 1000), (2, 500)):
        write_run("qmix", seed, [(0, {"r": 0.0}), (end, {"r": 1.0})])
    assert main(["plot", str(results), "--metric", "r"]) == 0
    assert drawn[0][1]["notes"] == ["3m, qmix: ends with its shortest run, at 500 of 1k environment steps"]


def test_pooled_maps_want_equal_seeds(
    write_run: Callable[..., FolderRun], results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs(write_run)
    words = ["plot", str(results), "--pool-maps", "--metric", "loss"]
    assert main(words) == 0
    ((panels, _),) = drawn
    assert [(panel.title, len(panel.curves["vdn"].runs)) for panel in panels] == [("3m, 8m", 4)]
    write_run("vdn", 3, [(0, {"loss": 1.0})])
    assert main(words) == 2
    assert "vdn: sc2_sim 3m (3), sc2_sim 8m (2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--metric", "los"], "Did you mean 'loss'"),
        (["--out", "x.gif"], "must end in .png, .svg, .pdf"),
        (["--level", "95"], "between 0 and 1"),
        (["--smooth", "0"], "must be 1 or more"),
        (["--where", "seed=9"], "nothing to draw"),
        (["--x", "hours"], "invalid choice"),
    ],
)
def test_mistakes(
    write_run: Callable[..., FolderRun],
    results: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    write_run(points=[(0, {"loss": 1.0})])
    assert main(["plot", str(results), *words]) == 2
    assert says in capsys.readouterr().err


def test_metrics_have_readable_names() -> None:
    assert metric_label("test_battle_won_mean") == "test win rate"
    assert metric_label("q_taken_mean") == "q taken"
