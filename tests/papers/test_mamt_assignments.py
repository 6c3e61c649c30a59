"""Who covers which landmark in Spread."""

import csv
import io
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cohort.cli import main
from papers.mamt import assignments
from papers.mamt.assignments import LANDMARKS, habits
from tests import harness
from tests.envs.particles.support import make
from tests.envs.particles.test_spread import greedy


def seen(*moments: list[list[list[float]]]) -> Tensor:
    """Observations of one game [1, T + 1, 2, 14], where agents have these distances [2, L] along x to landmarks."""
    obs = torch.full((1, len(moments), 2, 14), 9.0)
    away = torch.tensor(moments)  # [T + 1, 2, L]
    obs[..., LANDMARKS] = torch.stack([away, torch.zeros_like(away)], dim=-1).flatten(-2)
    return obs


def test_the_shorter_assignment_is_the_one_when_the_game_begins() -> None:
    """The first agent is nearer to the second landmark: going to the first is in order, and the longer way."""
    start = [[-3.0, 1.0], [2.0, -3.0]]
    in_order = habits(seen(start, [[0.1, 4.0], [4.0, -0.3]]))
    assert [bool(each) for each in in_order[:2]] == [False, True]
    assert in_order.uncovered.tolist() == pytest.approx([0.4])
    crossed = habits(seen(start, [[9.0, 9.0], [9.0, 9.0]], [[-5.0, 0.5], [0.25, 5.0]]))
    assert [bool(each) for each in crossed[:2]] == [True, False]
    assert crossed.uncovered.tolist() == pytest.approx([0.75])


def test_both_agents_at_one_landmark_leave_the_other_uncovered() -> None:
    both = habits(seen([[1.0, 2.0], [2.0, 1.0]], [[0.0, 2.0], [0.1, 1.9]]))
    assert both.uncovered.tolist() == pytest.approx([1.9])


def test_a_scripted_team_takes_the_shorter_assignment() -> None:
    """Half of all games are in order then."""
    env = make("spread", batch_size=400, seed=3)
    moments = [env.reset().obs]
    for _ in range(env.spec.episode_limit):
        moments.append(env.step(greedy(env.scene)).observation.obs)
    found = habits(torch.stack(moments, dim=1))
    assert float(found.shorter.float().mean()) > 0.95
    assert 0.4 < float(found.in_order.float().mean()) < 0.6
    assert float(found.uncovered.mean()) < 0.15


def test_the_table_plays_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(assignments, "GAMES", 8)
    for env, game in (("spread", "two"), ("spread3_mix", "three")):
        text = (
            f"t_max=300 batch_size=8 test_interval=1000 test_nepisode=12 local_results_path={tmp_path / game}"
        )
        assert main(harness.words("maac", env, text)) == 0
    (run,) = (tmp_path / "two").iterdir()
    bare = tmp_path / "two" / "bare"
    bare.mkdir()
    for name in ("config.yaml", "metrics.jsonl", "provenance.json", "status.json"):
        (bare / name).write_bytes((run / name).read_bytes())
    capsys.readouterr()
    assert main(["table", "mamt-assignments", str(tmp_path / "two"), str(tmp_path / "three")]) == 0
    assert "no policy is kept of bare" in capsys.readouterr().out
    assert main(["table", "mamt-assignments", str(run), "--form", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["run"], row["steps"]) == (run.name, "300")
    assert 0.5 <= float(row["the more usual one"]) <= 1
    assert -120 < float(row["return (± se)"].split()[0]) < -25, "an agent's"
    checkpoint = run / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    assert main(["table", "mamt-assignments", str(tmp_path / "two")]) == 2
    assert str(checkpoint) in capsys.readouterr().err, (
        "a policy that cannot be read is not one that is not kept"
    )
