"""Run folders to read, as `cohort.recording` writes them."""

import json
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cohort.analysis.folders import FolderRun
from cohort.recording.metrics import MetricsFile

Point = tuple[int, Mapping[str, float]]  # environment steps, metrics


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty folder for runs."""
    return tmp_path / "results"


@pytest.fixture
def write_run(results: Path) -> Callable[..., FolderRun]:
    """Writes a finished run whose updates are a quarter of its steps and whose episodes are as many, and reads it."""

    def write(
        method: str = "qmix",
        seed: int = 1,
        points: Sequence[Point] = ((0, {"test_return_mean": 0.0}), (100, {"test_return_mean": 1.0})),
        *,
        config: Mapping[str, Any] | None = None,
        env_args: Mapping[str, Any] | None = None,
        status: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        commit: str = "a" * 40,
        updates_per_step: float = 0.25,
        suffix: str = "",
    ) -> FolderRun:
        args = {"map_name": "3m", "reset_noise": 0.0} | (env_args or {})
        root = results / f"{method}__{args['map_name']}__seed{seed}{suffix}"
        root.mkdir(parents=True)
        whole = {"name": method, "env": "sc2_sim", "seed": seed, "lr": 5e-4, "label": "", "mixer": method}
        whole |= {"t_max": 100, "use_cuda": False, **(config or {}), "env_args": args}
        (root / "config.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
        file = MetricsFile(root / "metrics.jsonl")
        for step, metrics in points:
            updates = math.floor(updates_per_step * step)
            file.append(step, metrics, updates=updates, episode=step // 4, wall_time=step * 3.6)
        file.close()
        end = points[-1][0] if points else 0
        told = {
            "state": "COMPLETED",
            "t_env": end,
            "updates": math.floor(updates_per_step * end),
            "episode": end // 4,
        }
        told |= {"wall_seconds": end * 3.6, "pid": os.getpid(), "host": platform.node()}
        told |= {"last_update": "2026-11-20T18:00:00+00:00"} | (status or {})
        (root / "status.json").write_text(json.dumps(told))
        session = {
            "started": f"2026-11-20T17:00:0{seed % 10}+00:00",
            "command": "python run.py",
            "python": "3.11.7",
        }
        session |= {"git": {"commit": commit, "dirty": False, "diff_hash": None}, "environment": facts or {}}
        (root / "provenance.json").write_text(json.dumps({"sessions": [session]}))
        return FolderRun(root)

    return write
