"""MNMPG's figures and claims on made-up runs, and figure 3's densities by hand."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cohort.analysis.figure import Panel, Surface, draw
from cohort.analysis.folders import FolderRun
from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from papers.arms import choose
from papers.mnmpg import visitation
from papers.mnmpg.arms import FIGURE_2, FRESH, METHODS, MNMPG, NO_LR, QMIX, arm, compared
from papers.mnmpg.visitation import (
    Visited,
    densities,
    embedded,
    mean_distance,
    moments,
    stages,
    visited_states,
    without_last_actions,
)
from tests import harness
from tests.builders import random_episodes

WIN_RATE = "test_battle_won_mean"
MAP = "6h_vs_8z"
WriteWins = Callable[..., FolderRun]


@pytest.fixture
def judged(judge: Callable[..., dict]) -> Callable[..., dict[str, list[dict[str, str]]]]:
    return partial(judge, "mnmpg")


@pytest.fixture
def write_wins(write_run: Callable[..., FolderRun]) -> WriteWins:
    """Writes a run of a method on a map, with its tested win rates."""

    def write(label: str, map_name: str, seed: int, wins: Sequence[float]) -> FolderRun:
        config, typed = METHODS[label]
        plan = make_plan(Sources.read(config, "sc2_sim", {**typed, "env_args": {"map_name": map_name}}))
        whole = plan.plain_config()  # what a run records, without the keys that its method has no use for
        points = [(1000 * (place + 1), {WIN_RATE: value}) for place, value in enumerate(wins)]
        suffix = "".join(f"_{word}" for word in (map_name, *typed, *typed.values()))
        args = whole.pop("env_args")
        kept = whole | {"seed": seed, "t_max": 1000 * len(wins)}
        return write_run(config, seed, points, config=kept, env_args=args, suffix=suffix)

    return write


def test_every_method_has_a_configuration_that_takes_what_is_typed() -> None:
    for label in METHODS:
        published = arm(label, MAP).published
        make_plan(Sources.read(METHODS[label][0], "sc2_sim", dict(METHODS[label][1])))
        assert all(published[key] == value for key, value in METHODS[label][1].items())


@pytest.mark.parametrize("config", ["qmix", "vdn", "iql", "ow_qmix", "cw_qmix", "mnmpg", "qmix_large"])
@pytest.mark.parametrize("env", ["sc2_sim", "sc2"])
def test_settings_of_a_map_pick_themselves(config: str, env: str) -> None:
    """Section 4: 24 test episodes; exploration over 500,000 steps on three maps."""
    for map_name, steps in (
        *((each, 500_000) for each in ("27m_vs_30m", "6h_vs_8z", "3s5z_vs_3s6z")),
        *((each, 50_000) for each in ("3m", "corridor", "MMM2", "5m_vs_6m")),
    ):
        merged = Sources.read(config, env, {"env_args": {"map_name": map_name}}).merged()
        assert (merged["epsilon_anneal_time"], merged["test_nepisode"]) == (steps, 24), map_name
    assert merged["test_interval"] == 20_000
    assert (merged["lr"], merged["optim_alpha"], merged["optim_eps"]) == (5e-4, 0.99, 1e-5)
    assert (merged["batch_size"], merged["buffer_size"], merged["target_update_interval"]) == (32, 5000, 200)
    assert Sources.read(config, "matrix_games", {}).merged()["test_nepisode"] == 8


def test_an_ablation_is_never_taken_for_the_method(write_wins: WriteWins) -> None:
    runs = [write_wins(label, MAP, 1, [0.0, 0.1]) for label in (NO_LR, FRESH)]
    assert not choose(arm(MNMPG, MAP), runs).runs
    assert choose(arm(NO_LR, MAP), runs).runs == runs[:1]
    assert choose(arm(FRESH, MAP), runs).runs == runs[1:]
    shorter = write_wins(MNMPG, MAP, 1, [0.0, 0.2])  # neither t_max nor save_model makes it another
    assert choose(arm(MNMPG, MAP), [*runs, shorter]).runs == [shorter]


def test_figure_2_has_medians_and_ranges(
    write_wins: WriteWins, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, wins in enumerate(([0.0, 0.2], [0.0, 0.3], [0.0, 0.9]), start=1):
        write_wins(MNMPG, MAP, seed, wins)
    for label in ("CW-QMIX", "OW-QMIX"):
        write_wins(label, "3s5z_vs_3s6z", 1, [0.0, 0.1])
    assert main(["figure", "mnmpg-2", str(results)]) == 0
    ((first, second), _) = drawn[0]
    assert [first.title, second.title] == ["(c) 6h_vs_8z", "(e) 3s5z_vs_3s6z"]
    curve = first.curves[MNMPG]
    assert (curve.centre[-1], curve.low[-1], curve.high[-1]) == (0.3, 0.2, 0.9)
    assert list(second.curves) == ["CW-QMIX"], "it stands for OW-QMIX on this map"
    said = capsys.readouterr().out
    assert (
        "--config=mnmpg --env-config=sc2_sim with seed=4,5 env_args.map_name=6h_vs_8z t_max=5050000 save_model=True"
        in said
    )
    assert main(["figure", "mnmpg-2_sc2", str(results)]) == 2, "no runs of the real game"


def test_figures_4_and_5_and_the_controls(write_wins: WriteWins, results: Path, drawn: list) -> None:
    for label in METHODS:
        for seed, end in ((1, 0.2), (2, 0.6)):
            write_wins(label, MAP, seed, [0.0, end])
            if label in ("RODE", "MNMPG-1-RODE"):
                write_wins(label, "corridor", seed, [0.0, end])
    assert main(["figure", "mnmpg-5", str(results)]) == 0
    (panels, _) = drawn[0]
    assert [list(panel.curves) for panel in panels] == [
        [MNMPG, "QMIX_large", QMIX],
        [MNMPG, "MNMPG w/o grad", "MNMPG w/o s"],
        [MNMPG, "1000t", "2000t", "1h", "10h"],
    ]
    curve = panels[1].curves["MNMPG w/o s"]
    assert curve.centre[-1] == pytest.approx(0.4), "figure 5 has means"
    assert main(["figure", "mnmpg-controls", str(results)]) == 0
    assert [panel.title for panel in drawn[1][0]] == ["(a) 6h_vs_8z"], "the maps that anything ran on"
    assert list(drawn[1][0][0].curves) == [MNMPG, NO_LR, FRESH, "QMIX_large", QMIX]
    assert main(["figure", "mnmpg-4", str(results)]) == 0
    ((only,), _) = drawn[2]
    assert list(only.curves) == ["RODE", "MNMPG-1-RODE"]


def test_claims_by_hand(write_wins: WriteWins, judged: Callable) -> None:
    for place, label in enumerate(METHODS):
        for seed in (1, 2, 3):
            small = seed * 0.001
            write_wins(label, MAP, seed, [0.0] * 18 + [0.9 if label == MNMPG else 0.02 * place + small] * 2)
            if label in (MNMPG, QMIX):
                write_wins(label, "corridor", seed, [0.0] * 18 + [small] * 2)
            if label in (*compared("5m_vs_6m"), NO_LR):
                write_wins(label, "5m_vs_6m", seed, [0.0] * 18 + [0.5 + 0.02 * place + small] * 2)
    found = judged()
    verdicts = {number: [row["verdict"] for row in rows] for number, rows in found.items()}
    assert len(found) == 14
    rows = {row["where"].partition(",")[0]: row for row in found["1"]}
    assert set(rows) == set(FIGURE_2) - {"corridor"}
    assert rows[MAP]["where"] == f"{MAP}, against OW-QMIX"
    assert rows[MAP]["verdict"] == rows["5m_vs_6m"]["verdict"] == "true"
    assert rows["MMM2"]["verdict"] == "not run"
    assert verdicts["2"] == ["true", "true"]
    assert verdicts["10"] == verdicts["11"] == ["true"]
    assert verdicts["12"] == ["true", "true"]
    assert verdicts["14"] == ["true", "true", "not true", *["not run"] * 3], (
        "two for each map of the controls"
    )
    assert [row["where"] for row in found["9"]][2:4] == [
        "5m_vs_6m, QMIX_large and QMIX",
        "5m_vs_6m, MNMPG - QMIX_large",
    ]
    assert verdicts["13"] == ["true"] * 3
    assert verdicts["5"] == ["not run"] * 2, "no models were kept"
    assert found["12"][0]["difference (± se)"].startswith("+0.6")


# --- figure 3


def test_states_without_last_actions_and_padding() -> None:
    plan = make_plan(Sources.read("qmix", "sc2_sim", {"env_args": {"map_name": "3m"}}))
    env = plan["env"].create(batch_size=2, seed=0)
    state = env.reset().state
    assert state.shape[1] == 48
    kept = without_last_actions(state, env.spec, plan["env"].settings)
    assert torch.equal(kept, state[:, : 48 - 3 * 9]), "3m: 21 numbers on units, 3 x 9 on actions"
    timed = plan["env"].settings.model_copy(update={"state_timestep_number": True})
    longer = torch.cat([state, torch.full((2, 1), 0.5)], dim=1)
    kept = without_last_actions(longer, env.spec, timed)
    assert torch.equal(kept, torch.cat([state[:, :21], torch.full((2, 1), 0.5)], dim=1))
    none = plan["env"].settings.model_copy(update={"state_last_action": False})
    assert torch.equal(without_last_actions(state[:, :21], env.spec, none), state[:, :21])
    episodes = random_episodes([3, 1], padding=float("nan"))
    seen = moments(episodes)
    assert len(seen) == 4 + 2
    assert seen.isfinite().all()


def test_the_mean_distance_counts_each_pair_once() -> None:
    assert mean_distance(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]])) == pytest.approx((5 + 8 + 5) / 3)


def test_the_entropy_of_a_normal_density_is_the_closed_form() -> None:
    """ln(2 pi e s^2) in two dimensions, s the deviation of the sample and its kernel together (Scott: n^(-1/6))."""
    pytest.importorskip("scipy")
    draw = np.random.default_rng(0)
    narrow, wide = (scale * draw.normal(size=(4000, 2)) for scale in (1.0, 2.0))
    first, second = densities([narrow, wide])
    widened = 1 + 4000 ** (-1 / 3)
    for density, scale in ((first, 1.0), (second, 2.0)):
        expected = math.log(2 * math.pi * math.e * scale**2 * widened)
        assert density.entropy == pytest.approx(expected, abs=0.05)
        cell = (density.x[1] - density.x[0]) * (density.y[1] - density.y[0])
        assert density.z.sum() * cell == pytest.approx(1.0)
        assert density.z.shape == (100, 100)
    assert np.array_equal(first.x, second.x)


def test_one_plane_for_all_keeps_groups_apart() -> None:
    pytest.importorskip("sklearn", reason="needs requirements/papers.txt")
    draw = np.random.default_rng(1)
    groups = [centre + 0.1 * draw.normal(size=(40, 5)) for centre in (0.0, 5.0)]
    every = [Visited("a", 1, groups[0]), Visited("b", 1, groups[1])]
    planes = embedded(every)
    assert [each.shape for each in planes] == [(40, 2), (40, 2)]
    apart = np.linalg.norm(planes[0].mean(axis=0) - planes[1].mean(axis=0))
    assert apart > 2 * max(each.std() for each in planes)
    assert all(np.array_equal(*pair) for pair in zip(planes, embedded(every), strict=True)), "a fixed seed"


def test_figure_3_plays_the_models_of_recorded_runs(
    tmp_path: Path, drawn: list, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="needs requirements/papers.txt")
    for name in ("EPISODES", "GAMES"):
        monkeypatch.setattr(visitation, name, 2)
    for config in ("qmix", "vdn"):
        text = (
            f"env_args.map_name={MAP} t_max=900 epsilon_anneal_time=250 test_interval=400 "
            f"save_model=True save_model_interval=100 local_results_path={tmp_path}"
        )
        assert main(harness.words(config, "sc2_sim", text)) == 0
    runs = [FolderRun(each) for each in sorted(tmp_path.iterdir())]
    found = stages(runs[0])
    kept = sorted(int(each.name) for each in (runs[0].folder.root / "models").iterdir())
    late = [step for step in kept if step >= 250]
    assert len(kept) > len(late) >= 3
    assert (found[0], found[-1], len(found)) == (late[0], late[-1], 3)
    one = visited_states("QMIX", runs[0], found[0])
    assert np.isfinite(one.states).all()
    assert 0 < len(one.states) <= 1500
    capsys.readouterr()
    assert main(["figure", "mnmpg-3", str(tmp_path)]) == 0
    (panels, more) = drawn[0]
    assert [panel.title.partition(",")[0] for panel in panels] == ["QMIX"] * 3 + ["VDN"] * 3
    assert more["columns"] == 3
    surfaces = [panel.surface for panel in panels if panel.surface]
    assert len({surface.most for surface in surfaces}) == 1, "one scale of colours"
    assert all(np.array_equal(surface.x, surfaces[0].x) for surface in surfaces)
    assert "--config=mnmpg --env-config=sc2_sim with seed=1" in capsys.readouterr().out
    assert main(["table", "mnmpg-3", str(tmp_path), "--form", "csv"]) == 0
    rows = capsys.readouterr().out.strip().splitlines()
    assert len(rows) == 7
    entropies = [float(row.split(",")[-2]) for row in rows[1:]]
    assert entropies == pytest.approx([float(panel.title.split()[-1]) for panel in panels], abs=0.006)


def test_figure_3_is_drawn(tmp_path: Path) -> None:
    """Panels of surfaces alone, without curves and a legend."""
    x = np.linspace(-1, 1, 20)
    surface = np.outer(np.exp(-(x**2)), np.exp(-(x**2)))
    panels = [Panel(name, "density", {}, surface=Surface(x, x, surface, "density", 1.0)) for name in "abcdef"]
    draw(panels, tmp_path / "three.png", x_label="t-SNE", caption="states", title="places", columns=3)
    assert (tmp_path / "three.png").stat().st_size > 10_000
