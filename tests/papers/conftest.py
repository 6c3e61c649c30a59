"""Runs of a paper's arms, as their command would leave them."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from cohort.analysis.figure import Panel
from cohort.analysis.folders import FolderRun
from cohort.cli import main
from cohort.configuration.plan import Sources
from papers.commands import figure
from tests.run_folders import results, write_run

__all__ = ["results", "write_run"]  # fixtures

EPISODES = 100  # between two logged values
STEPS = 10  # of an episode


Rows = dict[str, list[dict[str, str]]]


@pytest.fixture
def judge(results: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Rows]:
    """`run.py claims PAPER` with more words: the rows of each statement under their headings."""

    def judge_paper(paper: str, *words: str) -> Rows:
        capsys.readouterr()
        assert main(["claims", paper, str(results), "--form", "csv", *words]) == 0
        found, number = {}, ""
        for row in csv.DictReader(io.StringIO(capsys.readouterr().out)):
            number = row[""] or number
            found.setdefault(number, []).append(row)
        return found

    return judge_paper


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Panel], dict]]:
    """What would be drawn."""
    calls: list[tuple[list[Panel], dict]] = []
    monkeypatch.setattr(figure, "draw", lambda panels, path, **more: calls.append((list(panels), more)))
    return calls


@pytest.fixture
def write_arm(write_run: Callable[..., FolderRun]) -> Callable[..., FolderRun]:
    """Writes a run of a method in a scenario: a reward per step for each 100 episodes and updates."""

    def write(
        config: str,
        world: str,
        seed: int,
        rewards: Sequence[float],
        *,
        logged: Mapping[str, Sequence[float]] | None = None,
        status: Mapping[str, object] | None = None,
        **typed: object,
    ) -> FolderRun:
        whole = Sources.read(config, world, typed).merged() | {
            "seed": seed,
            "t_max": 4 * EPISODES * len(rewards),
        }
        points = [
            (
                4
                * EPISODES
                * (place + 1),  # `write_run` counts an episode and an update for every four steps
                {"return_mean": STEPS * reward, "ep_length_mean": STEPS}
                | {name: values[place] for name, values in (logged or {}).items()},
            )
            for place, reward in enumerate(rewards)
        ]
        suffix = "".join([f"_{world}", *(f"_{key}{value}" for key, value in typed.items())])
        args = whole.pop("env_args")
        return write_run(config, seed, points, config=whole, env_args=args, status=status, suffix=suffix)

    return write


@pytest.fixture
def write_chains(write_run: Callable[..., FolderRun]) -> Callable[..., FolderRun]:
    """Writes a run of a meta-learning method in a game, with what its last test logged."""

    def write(
        config: str,
        world: str,
        seed: int,
        metrics: Mapping[str, float],
        *,
        updates: int = 500,
        status: Mapping[str, object] | None = None,
        env_args: Mapping[str, object] | None = None,
        **typed: object,
    ) -> FolderRun:
        told = {**typed, **({"env_args": dict(env_args)} if env_args else {})}
        whole = Sources.read(config, world, told).merged() | {"seed": seed}
        parts = {**typed, **(env_args or {})}
        return write_run(
            config,
            seed,
            [(updates, metrics)],
            config={key: value for key, value in whole.items() if key != "env_args"},
            env_args=whole["env_args"],
            status=status,
            updates_per_step=1.0,
            suffix="".join([f"_{world}", *(f"_{key}{value}" for key, value in parts.items())]),
        )

    return write


@pytest.fixture
def chain_metrics() -> Callable[..., dict[str, float]]:
    """What a test logs of a curve over phi_0, phi_1, ...: the same for every kind of peers, unless told."""

    def make(curve: Sequence[float], **of: Sequence[float]) -> dict[str, float]:
        curves = {"": curve} | {f"_{kind}": curve for kind in ("cooperating", "defecting")}
        curves |= {f"_{kind}": other for kind, other in of.items()}
        metrics = {}
        for kind, rewards in curves.items():
            metrics |= {f"test_reward_phi_{place}{kind}": value for place, value in enumerate(rewards)}
            metrics[f"test_auc{kind}"] = sum(rewards[1:])
        return metrics

    return make
