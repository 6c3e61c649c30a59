"""Runs whose numbers leave the finite: one sentence, one state, whatever the method."""

import json
from pathlib import Path

import pytest

from cohort.analysis.folders import FolderRun
from cohort.cli import main
from cohort.recording.checkpoints import load_checkpoint
from tests import harness

WILD = {
    "qmix": "lr=1e30",
    "mappo": "lr=1e30 critic_lr=1e30",
    "maac": "actor_lr=1e30 critic_lr=1e30 agent_hidden_dims=[8] critic_grad_norm_clip=1e30 actor_grad_norm_clip=1e30",
    "coma": "lr=1e30 critic_lr=1e30",
}


def diverged(algorithm: str, results: Path, text: str = "") -> Path:
    own = f"{WILD[algorithm]} test_interval=100 log_interval=20 checkpoint_interval=20 t_max=1000 {text}"
    assert main(harness.words(algorithm, "matrix_games", f"{own} local_results_path={results}")) == 1
    return harness.only_run(results)


@pytest.mark.parametrize("algorithm", WILD)
def test_a_diverged_run_stops_and_says_so_once(algorithm, tmp_path, capsys):
    run = diverged(algorithm, tmp_path)
    said = capsys.readouterr()
    assert said.out.count("diverged:") == 1
    assert "Traceback" not in said.out + said.err
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["t_env"] < 1000) == ("DIVERGED", True)
    assert json.loads((run / "sacred" / "1" / "run.json").read_text())["status"] == "DIVERGED"
    assert FolderRun(run).diverged
    assert main(["ls", str(tmp_path)]) == 0
    assert "DIVERGED" in capsys.readouterr().out


def test_the_last_checkpoint_is_one_from_before(tmp_path):
    import torch

    run = diverged("qmix", tmp_path)
    if (run / "checkpoint.pt").is_file():
        networks = load_checkpoint(run / "checkpoint.pt")["trainer"]["learner"]["networks"]
        assert all(
            bool(torch.isfinite(tensor).all()) for network in networks.values() for tensor in network.values()
        )


def test_a_run_told_to_go_on_ends_as_diverged_all_the_same(tmp_path, capsys):
    run = diverged("qmix", tmp_path, "when_diverged=go_on")
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["t_env"]) == ("DIVERGED", 1000)
    assert capsys.readouterr().out.count("diverged:") == 1


def test_plots_name_it(tmp_path, capsys):
    run = diverged("qmix", tmp_path, "when_diverged=go_on")
    assert main(["plot", str(tmp_path), "--out", str(tmp_path / "plot.png")]) == 0
    assert f"diverged: {run.name}" in capsys.readouterr().out


def test_an_error_of_a_healthy_learner_stays_an_error(tmp_path, monkeypatch):
    from cohort.trainers.off_policy import OffPolicyTrainer

    def fails(self):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(OffPolicyTrainer, "iterate", fails)
    with pytest.raises(RuntimeError, match="a fault"):
        main(harness.words("qmix", "matrix_games", f"t_max=100 local_results_path={tmp_path}"))
    assert json.loads((harness.only_run(tmp_path) / "status.json").read_text())["state"] == "FAILED"
