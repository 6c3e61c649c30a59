"""ADER's figures and claims on made-up runs, by hand."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cohort.analysis.folders import FolderRun
from cohort.cli import main
from cohort.configuration import files
from cohort.configuration.plan import Sources
from papers.ader.arms import CONTINUOUS, METHODS
from papers.ader.game import surface
from papers.ader.junction import change, junction

GAME = "continuous_matrix_game"
ACTIONS = "test_action_0_mean", "test_action_1_mean"
WriteGame = Callable[..., FolderRun]
Way = Sequence[tuple[float, float]]
TURNS: Way = [
    (0.0, 0.0),
    (0.3, 0.0),
    (0.57, -0.03),
    (0.6, 0.3),
    (0.6, 0.6),
]  # at the corner with the third test
STUCK: Way = [(0.0, 0.0), (0.2, 0.0), (0.2, 0.01), (0.2, 0.0), (0.2, 0.0)]


@pytest.fixture
def judged(judge: Callable[..., dict]) -> Callable[..., dict[str, list[dict[str, str]]]]:
    return partial(judge, "ader")


@pytest.fixture
def write_game(write_run: Callable[..., FolderRun]) -> WriteGame:
    """Writes a run of the matrix game whose tested joint action goes a way, ten tests at each of its places."""

    def write(
        config: str, seed: int, way: Way, end: float, entropies: Mapping[int, Sequence[float]] | None = None
    ) -> FolderRun:
        whole = Sources.read(config, GAME, {}).merged() | {"seed": seed, "t_max": 40 * len(way)}
        points = []
        for place, actions in enumerate(way):
            metrics = dict(zip(ACTIONS, actions, strict=True))
            metrics |= {"test_return_mean": end * place / (len(way) - 1), "test_ep_length_mean": 1.0}
            metrics |= {f"target_entropy_{i}": values[place] for i, values in (entropies or {}).items()}
            points.append((40 * (place + 1), metrics))
        args = whole.pop("env_args")
        return write_run(config, seed, points, config=whole, env_args=args, suffix=f"_{GAME}")

    return write


def test_every_method_has_a_configuration() -> None:
    assert {*METHODS.values(), *CONTINUOUS.values()} <= {*files.names("--config")}
    assert len({*METHODS.values()}) == len(METHODS)


def test_figure_1_is_the_games_reward(tmp_path: Path) -> None:
    whole, near = surface().panels
    found = whole.surface
    assert found is not None
    assert near.surface is not None
    assert (found.x[0], found.x[-1], found.z.shape) == (-1.0, 1.0, (400, 400))
    assert found.z.min() == pytest.approx(-4 * np.sqrt(2), abs=1e-3)
    row, column = (
        int(np.abs(axis - place).argmin()) for axis, place in ((near.surface.y, 0.0), (near.surface.x, 0.3))
    )
    assert near.surface.z[row, column] == pytest.approx(1.25, abs=0.01), "y is the second agent's action"
    out = tmp_path / "surface.png"
    assert main(["figure", "ader-1", "--out", str(out)]) == 0
    assert out.stat().st_size > 10_000


def test_the_junction_is_the_first_test_at_the_corner(write_game: WriteGame) -> None:
    run = write_game("ader", 1, TURNS, 5.0)
    assert junction(run) == 120
    assert junction(run, "episodes") == 30
    assert junction(write_game("ader", 2, STUCK, 1.0)) is None


def test_entropies_change_until_the_junction_and_from_it_on(write_game: WriteGame) -> None:
    values = {0: [-1.0, -0.8, -0.7, -0.9, -1.2], 1: [-1.0, -1.2, -1.3, -1.1, -0.8]}
    run = write_game("ader", 1, TURNS, 5.0, values)
    found = [change(agent, after=after)(run, 50) for agent in (0, 1) for after in (False, True)]
    assert found == pytest.approx([0.3, -0.5, -0.3, 0.5])
    assert change(0, after=False)(run, 20) is None, "it had not turned by then"
    assert change(0, after=False)(write_game("ader", 2, STUCK, 1.0, values), 50) is None


def test_figure_2_marks_when_ader_turns(
    write_game: WriteGame, results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {0: [-1.0, -0.8, -0.7, -0.9, -1.2], 1: [-1.0, -1.2, -1.3, -1.1, -0.8]}
    for seed, way in ((1, TURNS), (2, STUCK)):
        write_game("ader", seed, way, 5.0, values)
    write_game("ser_marl", 1, STUCK, 1.0)
    assert main(["figure", "ader-2", str(results)]) == 0
    ((rewards, entropies), more) = drawn[0]
    assert list(rewards.curves) == ["ADER", "SER-MARL"]
    assert list(rewards.curves["ADER"].centre) == [0, 1.25, 2.5, 3.75, 5.0]
    assert rewards.moments == entropies.moments == {"junction": 120}
    assert [list(curve.centre) for curve in entropies.curves.values()] == list(values.values())
    assert any("1 of 2 runs get there" in note for note in more["notes"])
    said = capsys.readouterr().out
    assert "--config=ader --env-config=continuous_matrix_game with seed=3..5" in said
    assert "--config=ser_dce,ader_reversed --env-config=continuous_matrix_game with seed=1..5" in said


def test_claims_1_to_5_are_of_the_matrix_game(write_game: WriteGame, judged: Callable) -> None:
    for seed, more in ((1, 0.0), (2, 0.001), (3, 0.002)):
        entropies = {0: [-1, -0.8, -0.7 + more, -0.9, -1.2], 1: [-1.0, -1.2, -1.3 - more, -1.1, -0.8]}
        write_game("ader", seed, TURNS, 4.95 + more, entropies)
        for place, config in enumerate(("ader_reversed", "ser_marl", "ser_dce")):
            write_game(config, seed, STUCK, 1.0 + place + more)
    found = judged()
    verdicts = {number: [row["verdict"] for row in rows] for number, rows in found.items()}
    assert verdicts["1"] == ["true"]
    assert verdicts["2"] == ["true"] * 3
    assert verdicts["3"] == ["true"] * 2, "one row for both agents, whose mean stays"
    assert verdicts["4"] == ["true"]
    assert verdicts["5"] == ["true"]
    assert found["1"][0]["difference (± se)"] == "+0.161 ± 0.001"
    assert [row["where"] for row in found["2"]] == [
        f"matrix game, {name}" for name in ("SER-MARL", "SER-DCE", "Reversed ADER")
    ]
    assert found["3"][0]["difference (± se)"] == "+0.301 ± 0.001"
    assert found["5"][0]["where"] == "matrix game, against SER-DCE"
    assert verdicts["8"] == ["not run"] * 2


def test_figures_3_and_5_have_a_panel_for_each_map(
    write_run: Callable[..., FolderRun], results: Path, drawn: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for config, wins in (("ader", 0.8), ("qmix", 0.5), ("ader_no_ema", 0.6)):
        for map_name in ("3m", "MMM2"):
            whole = Sources.read(config, "sc2_sim_sparse", {"env_args": {"map_name": map_name}}).merged()
            args = whole.pop("env_args")
            points = [(100 * place, {"test_battle_won_mean": wins * place / 4}) for place in range(5)]
            write_run(config, 1, points, config=whole | {"seed": 1}, env_args=args, suffix=map_name)
    # the same method with SMAC's own reward is another experiment
    dense = Sources.read("ader", "sc2_sim", {}).merged()
    write_run("ader", 7, config=dense | {"seed": 7}, env_args=dense.pop("env_args"))
    assert main(["figure", "ader-3", str(results)]) == 0
    ((third, last), _) = drawn[0]
    assert [third.title, last.title] == ["(b) 3m", "(g) MMM2"]
    assert {label: (len(curve.runs), curve.centre[-1]) for label, curve in third.curves.items()} == {
        "ADER": (1, 0.8), "QMIX": (1, 0.5),
    }  # fmt: skip
    assert drawn[0][1]["notes"][-1] == (
        "no runs: sc2 sim sparse, 1c3s5z, 8m, 3s5z, 3s_vs_3z, 5m_vs_6m, 8m_vs_9m (ADER, DOP, FACMAC, FOP, LICA, QMIX, "
        "VDAC); sc2 sim sparse, 3m, MMM2 (DOP, FACMAC, FOP, LICA, VDAC)"
    )
    assert main(["figure", "ader-5", str(results)]) == 0
    ((only,), _) = drawn[1]
    assert only.title == "(c) MMM2"
    assert list(only.curves) == ["ADER", "ADER without EMA"]
    said = capsys.readouterr().out
    assert "--env-config=sc2_sim_sparse with seed=1..5 env_args.map_name=1c3s5z\n" in said, (
        "each map has its command"
    )
    assert "--config=ader,qmix --env-config=sc2_sim_sparse with seed=2..5 env_args.map_name=3m" in said
    assert main(["figure", "ader-3_sc2", str(results)]) == 2, "no runs of the real game"


def test_figure_4_has_facmac_for_continuous_actions(
    write_arm: Callable[..., FolderRun], results: Path, drawn: list
) -> None:
    logged = {"test_return_mean": [1.0, 2.0]}
    for config in ("ader", "facmac_continuous"):
        write_arm(config, "h_predator_prey", 1, [0.0, 0.0], logged=logged)
    write_arm("ader", "halfcheetah_6x1", 1, [0.0, 0.0], logged=logged)
    write_arm("ader", "mamujoco", 1, [0.0, 0.0], logged=logged)  # another robot's division
    assert main(["figure", "ader-4", str(results)]) == 0
    ((cheetah, hunt), _) = drawn[0]
    assert {label: len(curve.runs) for label, curve in cheetah.curves.items()} == {"ADER": 1}
    assert list(hunt.curves) == ["ADER", "FACMAC"]
