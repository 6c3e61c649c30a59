"""Run folders: found wherever they lie, read no further than asked, and honest about what is gone."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cohort.analysis import folders
from cohort.analysis.folders import FolderRun, find_runs
from cohort.errors import UserError


def test_runs_are_found_in_and_below_folders_once(write_run: Callable[..., FolderRun], results: Path) -> None:
    inner = write_run("qmix", 1)
    write_run("vdn", 1)
    sweep = results / "sweep" / "part"
    sweep.mkdir(parents=True)
    inner.folder.root.rename(sweep / inner.name)
    (results / ".hidden").mkdir()
    names = [run.name for run in find_runs([results, sweep, results / "vdn__3m__seed1"])]
    assert names == ["qmix__3m__seed1", "vdn__3m__seed1"]


def test_what_is_no_place_of_runs_is_said(results: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_runs([results])
    results.mkdir()
    with pytest.raises(UserError, match=r"no folder in or below it has a config\.yaml"):
        find_runs([results])


def test_a_run_is_read_as_it_was_written(write_run: Callable[..., FolderRun]) -> None:
    run = write_run(
        "vdn", 4, [(0, {"loss": 1.0}), (200, {"loss": float("nan"), "wins": 0.5})], facts={"build": 75689}
    )
    assert (run.method, run.env, run.map_name, run.seed) == ("vdn", "sc2_sim", "3m", 4)
    assert run.flat_config["env_args.reset_noise"] == 0.0
    assert (run.status.state, run.status.t_env, run.updates, run.episode) == ("COMPLETED", 200, 50, 50)
    assert run.facts == {"build": "75689"}
    assert run.started == "2026-11-20T17:00:04+00:00"
    assert [list(part) for part in run.series("loss")] == [[0.0], [1.0]]  # what is not finite is no point
    assert [list(part) for part in run.series("wins", "updates")] == [[50.0], [0.5]]
    assert [list(part) for part in run.series("wins", "wall")] == [[0.2], [0.5]]
    assert [list(part) for part in run.series("wins", "episodes")] == [[50.0], [0.5]]


def test_a_quotient_is_of_values_logged_at_the_same_moment(write_run: Callable[..., FolderRun]) -> None:
    points = [
        (0, {"sum": 6.0, "count": 3.0}),
        (4, {"sum": 5.0}),
        (8, {"sum": 1.0, "count": 0.0}),
        (12, {"sum": 8.0, "count": 2.0, "by/name": 7.0}),
        (16, {"other": 1.0}),
    ]
    run = write_run(points=points)
    assert [list(part) for part in run.series("sum/count")] == [[0.0, 12.0], [2.0, 4.0]]
    assert run.last("sum/count") == 4.0
    assert run.last("sum/never") is None
    assert run.last("by/name") == 7.0, "a name goes before a quotient"


def test_a_star_stands_for_any_number_and_means_the_mean(write_run: Callable[..., FolderRun]) -> None:
    points = [
        (0, {"kl_0": 1.0, "kl_1": 2.0, "kl_11": 6.0, "kl_far": 9.0, "kl_0_1": 8.0}),
        (4, {"kl_1": 5.0}),
        (8, {"other": 1.0}),
    ]
    run = write_run(points=points)
    assert [list(part) for part in run.series("kl_*")] == [[0.0, 4.0], [3.0, 5.0]]
    assert [list(part) for part in run.series("kl_*_*")] == [[0.0], [8.0]]
    assert run.last("kl_*") == 5.0
    assert run.last("never_*") is None


def test_last_values_come_from_the_end_and_rare_ones_from_the_whole(
    write_run: Callable[..., FolderRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        (0, {"rare": 7.0}),
        *((step, {"loss": float(step)}) for step in range(1, 200)),
        (200, {"wins": 0.5}),
    ]
    run = write_run(points=points)
    with open(run.folder.metrics, "ab") as file:
        file.write(b'{"t_env": 200, "torn')
    read = []
    monkeypatch.setattr(folders, "TAIL", 1000)
    monkeypatch.setattr(folders, "read_metrics", lambda path: read.append(path) or folders_read(path))
    assert run.recent_metrics == {"loss": 199.0, "wins": 0.5}
    assert (run.last("loss"), run.last("wins")) == (199.0, 0.5)
    assert read == []
    assert "rare" not in run.recent_metrics
    assert run.last("rare") == 7.0
    assert run.last("never") is None
    assert len(read) == 1
    monkeypatch.setattr(folders, "TAIL", 10)  # shorter than a line
    assert FolderRun(run.folder.root).last("wins") == 0.5


folders_read = folders.read_metrics


def test_a_run_without_metrics_or_status_is_a_run(write_run: Callable[..., FolderRun]) -> None:
    run = write_run(points=[])
    for path in (run.folder.metrics, run.folder.status, run.folder.provenance):
        path.unlink()
    assert run.last("loss") is None
    assert (run.records, run.sessions, run.facts, run.git, run.updates) == ([], [], {}, {}, None)
    assert run.status.state == "?"
    assert run.updates_per_episode is None


def test_damage_is_said(write_run: Callable[..., FolderRun]) -> None:
    run = write_run()
    run.folder.metrics.write_text("nonsense\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl is damaged"):
        run.last("loss")
    run.folder.config.write_text("a: [")
    with pytest.raises(UserError, match=r"config\.yaml cannot be read"):
        run.config  # noqa: B018
    run.folder.config.write_text("just words")
    with pytest.raises(UserError, match="is not a configuration"):
        FolderRun(run.folder.root).config  # noqa: B018


def state(write_run: Callable[..., FolderRun], **told: object) -> str:
    return write_run(status={"state": "RUNNING", **told}).status.state


def now(**ago: float) -> str:
    return (datetime.now().astimezone() - timedelta(**ago)).isoformat(timespec="seconds")


def test_a_running_process_is_running(write_run: Callable[..., FolderRun]) -> None:
    assert state(write_run, last_update=now()) == "RUNNING"


def test_a_process_that_is_gone_is_dead(write_run: Callable[..., FolderRun]) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert state(write_run, pid=child.pid, last_update=now(), t_env=1) == "DEAD"


def test_a_number_that_another_process_got_is_dead(write_run: Callable[..., FolderRun]) -> None:
    assert state(write_run, pid=os.getpid(), last_update="2001-01-01T00:00:00+00:00", t_env=1) == "DEAD"


def test_a_run_that_died_after_its_last_step_is_unclosed(write_run: Callable[..., FolderRun]) -> None:
    last = {"pid": os.getpid(), "last_update": "2001-01-01T00:00:00+00:00"}
    assert state(write_run, **last, t_env=10**9) == "UNCLOSED"


@pytest.mark.parametrize(("minutes", "expected"), [(2, "RUNNING"), (30, "SILENT")])
def test_another_machine_can_only_be_heard(
    write_run: Callable[..., FolderRun], minutes: int, expected: str
) -> None:
    assert state(write_run, host=f"not-{platform.node()}", last_update=now(minutes=minutes)) == expected


def test_updates_per_episode_leave_out_the_wait(write_run: Callable[..., FolderRun]) -> None:
    run = write_run(points=[(0, {}), (400, {}), (800, {})])
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    for line, updates in zip(lines, (0, 10, 60), strict=True):  # 100 episodes each
        line["updates"] = updates
    run.folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run.updates_per_episode == pytest.approx(0.5)
