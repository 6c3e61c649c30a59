"""Meta-MAPG's figures as they are typed: which runs are drawn, their numbers, and what is missing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cohort.analysis.figure import Panel
from cohort.analysis.folders import FolderRun
from cohort.assembly import build_trainer
from cohort.cli import main
from cohort.configuration.plan import Sources, make_plan
from cohort.learners.meta.personas import SPLITS
from papers.meta_mapg.peers import principal_components, probabilities, redrawn
from papers.registry import FIGURES

WriteChains = Callable[..., FolderRun]
ChainMetrics = Callable[..., dict[str, float]]
Drawn = list[tuple[list[Panel], dict]]


def test_figure_2_is_the_reward_at_each_joint_policy(
    write_chains: WriteChains, chain_metrics: ChainMetrics, results: Path, drawn: Drawn, capsys
) -> None:
    for seed, shift in ((1, 0.0), (2, 0.2)):
        kind = {"cooperating": [1.0 + shift, 0.5], "defecting": [-1.0, -0.5 + shift]}
        write_chains("meta_mapg", "ipd", seed, chain_metrics([0.0, 0.0], **kind))
    write_chains("meta_pg", "ipd", 1, chain_metrics([0.1, 0.2]))
    write_chains("reinforce", "rps", 1, chain_metrics([-0.1, -0.2]), updates=2500)
    assert main(["figure", "meta_mapg-2", str(results)]) == 0
    ((cooperating, defecting, contest), more) = drawn[0]
    assert [panel.title for panel in (cooperating, defecting, contest)] == [
        "(a) IPD, cooperating peers",
        "(b) IPD, defecting peers",
        "(c) RPS",
    ]
    curve = cooperating.curves["Meta-MAPG"]
    assert list(curve.x) == [0, 1]
    assert list(curve.centre) == pytest.approx([1.1, 0.5])
    assert (curve.low[0], curve.high[0]) == pytest.approx((1.0, 1.2)), (
        "of two seeds the interval is their reach"
    )
    assert list(defecting.curves["Meta-MAPG"].centre) == pytest.approx([-1.0, -0.4])
    assert list(cooperating.curves["Meta-PG"].centre) == [0.1, 0.2]
    assert cooperating.curves["Meta-PG"].low is None
    assert list(contest.curves) == ["REINFORCE"]
    assert cooperating.ticks == [r"$\phi_0$", r"$\phi_1$"]
    assert list(more["entries"])[:4] == ["Meta-MAPG", "Meta-PG", "LOLA-DiCE", "REINFORCE"]
    assert "IPD: Meta-MAPG: seeds 1,2, 500 updates; Meta-PG: seed 1, 500 updates" in more["notes"]
    assert "RPS: REINFORCE: seed 1, 2,500 updates" in more["notes"]
    assert "rps (Meta-MAPG, Meta-PG, LOLA-DiCE (look-ahead 1))" in more["notes"][-1]
    said = capsys.readouterr().out
    assert "--config=lola_dice --env-config=ipd with seed=1..10 look_aheads=1,3,5\n" in said
    assert "missing: ipd: seeds 3..10 of Meta-MAPG\n" in said


def test_other_experiments_of_the_same_method_are_not_in_it(
    write_chains: WriteChains, chain_metrics: ChainMetrics, results: Path, drawn: Drawn
) -> None:
    loaded = {"inner_objective": "loaded", "chains": 8}
    write_chains("meta_mapg", "ipd", 1, chain_metrics([1.0, 1.0]), **loaded)
    for other in ({"trajectories": 16}, {"out_of_distribution": True}):
        write_chains("meta_mapg", "ipd", 1, chain_metrics([9.0, 9.0]), **loaded, **other)
    write_chains("meta_mapg", "rps", 1, chain_metrics([9.0, 9.0]), env_args={"n_agents": 3})
    write_chains("meta_mapg_exact", "rps", 1, chain_metrics([0.1, 0.2]), dice_nodes="own")
    assert main(["figure", "meta_mapg-2", str(results)]) == 0
    panels, more = drawn[0]
    assert list(panels[0].curves["Meta-MAPG"].centre) == [1.0, 1.0]
    assert panels[0].marks == {"Meta-MAPG"}
    assert "* ipd, Meta-MAPG: chains=8, inner_objective=loaded, not as in src/config" in more["notes"]
    assert list(panels[2].curves) == ["Meta-PG (exact)"], "neither 3 agents nor the exact run as Meta-MAPG's"
    assert more["same_colour"]["Meta-PG (exact)"] == "Meta-PG"
    # without runs of the files' number of matches, another number departs like any other key
    assert main(["figure", "meta_mapg-2", str(results), "--where", "config.trajectories=16"]) == 0
    assert list(drawn[1][0][0].curves["Meta-MAPG"].centre) == [9.0, 9.0]


def test_lola_looks_ahead_as_validation_prefers(
    write_chains: WriteChains, chain_metrics: ChainMetrics, results: Path, drawn: Drawn
) -> None:
    for looks, score, reward in ((1, 0.5, 9.0), (3, 0.7, 2.0)):
        metrics = chain_metrics([reward, reward]) | {"val_auc_best": score}
        write_chains("lola_dice", "ipd", 1, metrics, look_aheads=looks)
    assert main(["figure", "meta_mapg-2", str(results)]) == 0
    panels, more = drawn[0]
    assert list(panels[0].curves["LOLA-DiCE"].centre) == [2.0, 2.0]
    assert "IPD: LOLA-DiCE with look-ahead 3, the best in validation of 1 and 3" in more["notes"]


def test_figure_3a_is_the_auc_for_each_number_of_matches(
    write_chains: WriteChains, chain_metrics: ChainMetrics, results: Path, drawn: Drawn, capsys
) -> None:
    for k, auc in ((4, 1.0), (16, 2.0), (64, 3.0)):
        for seed in (1, 2):
            write_chains("meta_mapg", "ipd", seed, chain_metrics([0.0, auc + seed]), trajectories=k)
    assert main(["figure", "meta_mapg-3a", str(results)]) == 0
    ((panel,), more) = drawn[0]
    curve = panel.curves["Meta-MAPG"]
    assert list(panel.ticks) == ["4", "8", "16", "32", "64"]
    assert list(curve.x) == [0, 2, 4]
    assert list(curve.centre) == [2.5, 3.5, 4.5]
    assert (curve.low[0], curve.high[0]) == (2.0, 3.0)
    assert "IPD: Meta-MAPG: seeds 1,2, 500 updates" in more["notes"]
    said = capsys.readouterr().out
    assert "--config=meta_mapg,meta_pg,reinforce --env-config=ipd with seed=1..10 trajectories=8\n" in said


def test_figures_4a_and_4b_are_bars_and_4c_curves(
    write_chains: WriteChains, chain_metrics: ChainMetrics, results: Path, drawn: Drawn
) -> None:
    for method, auc in (("meta_mapg", 3.0), ("meta_mapg_om", 2.0), ("meta_pg", 1.0)):
        write_chains(method, "ipd", 1, chain_metrics([0.0, auc]))
    for n in (3, 4):
        write_chains("meta_mapg", "rps", 1, chain_metrics([0.0, 6.0 / n]), env_args={"n_agents": n})
    write_chains("meta_mapg_no_own", "rps", 1, chain_metrics([0.5, 0.25]))
    for letter in "abc":
        assert main(["figure", f"meta_mapg-4{letter}", str(results)]) == 0
    modelling, players, ablation = (call[0][0] for call in drawn)
    assert {label: list(curve.centre) for label, curve in modelling.curves.items()} == {
        "Meta-MAPG": [3.0],
        "Meta-MAPG (OM)": [2.0],
        "Meta-PG": [1.0],
    }
    assert modelling.form == players.form == "bars"
    assert list(players.curves["Meta-MAPG"].centre) == [2.0, 1.5]
    assert players.ticks == ["3 agents", "4 agents"]
    assert list(ablation.curves["No own learning"].centre) == [0.5, 0.25]


def test_figures_9_to_16_are_the_shares_of_actions(
    write_chains: WriteChains, results: Path, drawn: Drawn
) -> None:
    shares = {
        f"test_{who}action_{action}_phi_{place}_scissors": share
        for who in ("", "peer_")
        for place in (0, 1)
        for action, share in (("rock", 0.2 + 0.1 * place), ("paper", 0.3), ("scissors", 0.5 - 0.1 * place))
    }
    write_chains("meta_pg", "rps", 1, shares | {"test_auc": 0.0})
    assert main(["figure", "meta_mapg-13", str(results)]) == 0
    ((agent, peer), more) = drawn[0]
    assert [panel.title for panel in (agent, peer)] == ["Meta-PG: agent", "Meta-PG: peer"]
    assert {label: list(curve.centre) for label, curve in peer.curves.items()} == {
        "rock": pytest.approx([0.2, 0.3]),
        "paper": pytest.approx([0.3, 0.3]),
        "scissors": pytest.approx([0.5, 0.4]),
    }
    assert more["entries"] == ("rock", "paper", "scissors")
    assert "RPS, scissors peers: Meta-PG: seed 1, 500 updates" in more["notes"]
    assert main(["figure", "meta_mapg-16", str(results)]) == 2


@pytest.mark.parametrize("beyond", [False, True])
def test_personas_are_those_of_the_run(write_chains: WriteChains, beyond: bool) -> None:
    typed = {"out_of_distribution": beyond, "personas_train": 7, "personas_test": 3}
    run = write_chains("meta_mapg", "ipd", 5, {}, **typed)
    small = {"rnn_hidden_dim": 2, "use_cuda": False, "seed": 5}
    plan = make_plan(Sources.read("meta_mapg", "ipd", typed | small))
    trainer = build_trainer(plan, torch.device("cpu"), lambda line: None)
    for split in SPLITS:
        assert torch.equal(redrawn(run)[split].logits, trainer.population[split].logits)
    cooperating = probabilities(redrawn(run)["test"])[redrawn(run)["test"].temperament == 1]
    assert cooperating.min() >= (0.8 if beyond else 0.5) - 1e-6


def test_figures_3b_and_3c_are_clouds_of_personas(
    write_chains: WriteChains, results: Path, drawn: Drawn, capsys
) -> None:
    write_chains("meta_pg", "ipd", 2, {})
    assert main(["figure", "meta_mapg-3bc", str(results)]) == 0
    ((panel,), more) = drawn[0]
    assert panel.title == "(b) IPD, in distribution"
    assert {label: len(curve.x) for label, curve in panel.curves.items()} == {
        "train": 400,
        "validation": 40,
        "test": 40,
    }
    assert "--env-config=ipd with seed=1 out_of_distribution=True" in capsys.readouterr().out
    assert more["notes"][0].startswith("(b): seed 2; 400 train, 40 validation, 40 test; the components hold ")


def test_principal_components_are_the_covariances_eigenvectors() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(300, 5)) @ random.normal(size=(5, 5)) + 3
    found, shares = principal_components(points)
    standard = (points - points.mean(0)) / points.std(0)
    values, vectors = np.linalg.eigh(standard.T @ standard / len(points))
    for place in range(2):
        expected = standard @ vectors[:, -1 - place]
        assert min(abs(found[:, place] - expected).max(), abs(found[:, place] + expected).max()) < 1e-9
        assert shares[place] == pytest.approx(values[-1 - place] / 5)
    assert np.allclose(principal_components(points[::-1])[0][::-1], found), "signs do not depend on the order"


def test_figure_2d_is_the_return_among_the_teammates_of_one_run(
    write_chains: WriteChains, results: Path, drawn: Drawn, capsys
) -> None:
    for seed, shift in ((1, 0.0), (2, 2.0)):
        metrics = {f"test_return_phi_{place}": 10.0 * place + shift for place in range(3)} | {"test_auc": 0.0}
        write_chains("meta_pg", "halfcheetah_dir", seed, metrics, teammates="results/pair")
    assert main(["figure", "meta_mapg-2", str(results)]) == 0
    ((panel,), more) = drawn[0]
    assert panel.title == "(d) 2-agent HalfCheetah"
    assert list(panel.curves["Meta-PG"].centre) == [1.0, 11.0, 21.0]
    assert not panel.marks, "where teammates are from is no departure"
    assert "HalfCheetah: Meta-PG: seeds 1,2, 500 updates" in more["notes"]
    said = capsys.readouterr().out
    assert "--env-config=halfcheetah_dir with seed=1..5 teammates=results/pair\n" in said


def test_figure_7_is_what_teammates_ran_to_the_left(
    write_run: Callable[..., FolderRun], write_chains: WriteChains, results: Path, drawn: Drawn
) -> None:
    whole = Sources.read("cheetah_teammates", "halfcheetah_dir", {}).merged()
    points = [(updates, {"return_mean": 100.0 + updates}) for updates in range(1, 9)]
    env_args = whole.pop("env_args")
    write_run(
        "cheetah_teammates", 3, points, config=whole | {"seed": 3}, env_args=env_args, updates_per_step=1.0
    )
    ranges = {"teammates_range": [1, 3], "teammates_test_range": [6, 7]}
    sizes = {"personas_train": 2, "personas_validation": 1, "personas_test": 2}
    write_chains("meta_mapg", "halfcheetah_dir", 4, {}, teammates="results/pair", **ranges, **sizes)
    assert main(["figure", "meta_mapg-7", str(results)]) == 0
    ((panel,), more) = drawn[0]
    clouds = {label: list(curve.x) for label, curve in panel.curves.items()}
    assert sorted(clouds["train"] + clouds["validation"]) == [1, 2, 3]
    assert len(clouds["validation"]) == 1
    assert clouds["test"] == [6, 7]
    assert clouds["not used"] == [0, 4, 5]
    assert list(panel.curves["test"].centre) == [107.0, 108.0], (
        "iteration 6 is what was logged after update 7"
    )
    assert more["notes"] == ["seed 3, 8 iterations; splits as meta-learning with seed 4 draws them"]


def test_figure_8_needs_no_runs(tmp_path: Path, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["figure", "meta_mapg-8"]) == 0
    ((paths, distances), _) = drawn[0]
    ends = {label: float(np.hypot(curve.x[-1], curve.centre[-1])) for label, curve in paths.curves.items()}
    assert ends == {
        "plain gradients": pytest.approx(2.32586, abs=6e-6),
        "LOLA": pytest.approx(0.00510, abs=6e-6),
        "Meta-MAPG": pytest.approx(0.00463, abs=6e-6),
    }
    assert {label: curve.centre[-1] for label, curve in distances.curves.items()} == pytest.approx(ends)


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("meta_mapg")])
def test_every_figure_is_drawn(
    write_chains: WriteChains, chain_metrics: ChainMetrics, results: Path, tmp_path: Path, name: str
) -> None:
    actions = {
        f"test_{who}action_{action}_phi_{place}_{kind}": 0.25 * place
        for who in ("", "peer_")
        for place in (0, 1)
        for kind, of in (
            ("cooperating", ("defect", "cooperate")),
            ("scissors", ("rock", "paper", "scissors")),
        )
        for action in of
    }
    methods = ("meta_mapg", "meta_pg", "reinforce", "lola_dice")
    for seed in (1, 2):
        for method in methods:
            for world in ("ipd", "rps"):
                write_chains(method, world, seed, chain_metrics([0.0, seed]) | actions)
        write_chains("meta_mapg", "rps", seed, chain_metrics([0.0, seed]), env_args={"n_agents": 3})
        write_chains("meta_mapg", "ipd", seed, {}, out_of_distribution=True)
        write_chains("meta_mapg_exact", "rps", seed, chain_metrics([0.0, seed]) | actions)
        write_chains("cheetah_teammates", "halfcheetah_dir", seed, {"return_mean": 1.0}, updates=60)
    out = tmp_path / "figure.png"
    assert main(["figure", name, str(results), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
