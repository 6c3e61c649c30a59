"""The same questions of a real MongoDB server as of the folders its records came from."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cohort.analysis.folders import FolderRun
from cohort.analysis.mongo import MongoRun, find_mongo_runs
from cohort.cli import main
from cohort.errors import UserError
from cohort.recording.console import Console
from cohort.recording.folder import RunFolder, create_run_folder
from cohort.recording.mongo.mirror import mirrored_to_mongo
from cohort.recording.mongo.target import MongoTarget
from cohort.recording.progress import Progress
from cohort.recording.provenance import write_provenance
from cohort.recording.recorder import Recorder
from cohort.recording.sacred_mirror import record_with_sacred
from tests.mongod import Mongod, wait_for

CONFIG = {
    "name": "qmix",
    "env": "sc2",
    "mixer": "qmix",
    "seed": 3,
    "lr": 5e-4,
    "t_max": 400,
    "env_args": {"map_name": "3m"},
}


@pytest.fixture
def target(mongod: Mongod, database: Any) -> MongoTarget:
    return MongoTarget(mongod.url(), database.name)


@pytest.fixture
def record(target: MongoTarget, results: Path) -> Callable[..., RunFolder]:
    """Records a run of a few values in a folder and in the database, as a session of training does."""

    def session(
        work: Callable[[Recorder], None],
        folder: RunFolder | None = None,
        resumed: dict[str, Any] | None = None,
    ) -> RunFolder:
        import yaml

        folder = folder or create_run_folder(results, "qmix__3m__seed3")
        folder.config.write_text(yaml.safe_dump(CONFIG))
        git = {"commit": "a" * 40, "dirty": False, "diff_hash": None}
        facts = {"sc2_base_build": 75689}
        write_provenance(
            folder, {"started": "2026-11-20T17:00:00+00:00", "command": "x", "git": git, "environment": facts}
        )
        console = Console(io.StringIO())
        with mirrored_to_mongo(target, folder, lambda line: None, 0.05) as mirrors:

            def run(sacred: Any) -> dict[str, float]:
                with Recorder(folder, console, Progress(console, 400), [sacred, *mirrors]) as recorder:
                    if resumed is not None:
                        recorder.load_state_dict(resumed)
                    work(recorder)
                    return recorder.results()

            record_with_sacred(
                run, config=CONFIG, folder=folder, command="x", name="qmix", t_max=400, report=lambda line: None,
                environment=facts, earlier_seconds=resumed["wall_time"] if resumed else 0.0,
            )  # fmt: skip
        return folder

    return session


def log(recorder: Recorder, *steps: int) -> None:
    for step in steps:
        recorder.log(step, step // 4, step // 4, {"loss": step / 7})
        recorder.log(step, step // 4, step // 4, {"test_return_mean": float(step)})


def test_a_run_in_the_database_answers_as_its_folder_does(
    record: Callable[..., RunFolder], target: MongoTarget
) -> None:
    folder = FolderRun(record(lambda recorder: log(recorder, 0, 200, 400)).root)
    (run,) = find_mongo_runs(target)
    for ask in (
        lambda run: (run.name, run.method, run.env, run.map_name, run.seed, run.flat_config),
        lambda run: (run.facts, run.git, run.started, run.recent_metrics, run.records),
        lambda run: (run.status.state, run.status.t_env, run.updates, run.episode, run.updates_per_episode),
        lambda run: [run.series("loss", x)[0].tolist() for x in ("steps", "updates", "wall")],
        lambda run: (run.last("loss"), run.last("nothing")),
    ):
        assert ask(run) == ask(folder)
    assert run.status.wall_seconds == pytest.approx(folder.records[-1].wall_time, abs=0.002)


def test_a_run_that_goes_on_has_its_curve_but_no_updates(
    record: Callable[..., RunFolder], target: MongoTarget, database: Any
) -> None:
    seen: list[MongoRun] = []

    def work(recorder: Recorder) -> None:
        log(recorder, 0, 200)
        wait_for(
            lambda: (database.metrics.find_one({"name": "test_return_mean"}) or {}).get("steps") == [0, 200]
        )
        seen.extend(find_mongo_runs(target))
        (run,) = seen
        assert [part.tolist() for part in run.series("test_return_mean")] == [[0, 200], [0.0, 200.0]]
        assert run.status.state == "RUNNING"
        assert run.facts == {"sc2_base_build": "75689"}

    record(work)
    (run,) = seen
    assert run.updates is None
    assert run.updates_per_episode is None
    with pytest.raises(UserError, match="no updates on record"):
        run.series("loss", "updates")
    assert (run.series("loss", "wall")[0] >= 0).all()


def test_sessions_of_one_run_are_one_run(
    record: Callable[..., RunFolder], target: MongoTarget, database: Any
) -> None:
    saved: dict[str, Any] = {}

    def first(recorder: Recorder) -> None:
        log(recorder, 0, 100)
        saved.update(recorder.state_dict())

    def second(recorder: Recorder) -> None:
        log(recorder, 200)
        wait_for(
            lambda: (
                database.metrics.count_documents({"name": "test_return_mean", "steps": [0, 100, 200]}) == 1
            )
        )
        (run,) = find_mongo_runs(target)
        hours, _ = run.series("loss", "wall")
        assert hours[1] < 0.1
        assert hours[2] == pytest.approx(
            1.0, abs=0.01
        )  # the first session took an hour, and the pause nothing

    folder = record(first)
    record(second, folder, saved | {"wall_time": 3600.0})
    (run,) = find_mongo_runs(target)
    assert run.series("loss")[0].tolist() == [0, 100, 200]
    assert len(run.sessions) == 2
    assert [one.wall_time for one in run.records] == pytest.approx(
        [one.wall_time for one in FolderRun(folder.root).records], abs=0.002
    )


def test_the_commands_read_the_database(
    record: Callable[..., RunFolder],
    mongod: Mongod,
    database: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = record(lambda recorder: log(recorder, 0, 400))
    database.runs.insert_one({"_id": 99, "config": None})  # somebody else's
    source = [f"--mongo={mongod.url()}", "--database", database.name]
    assert (
        main(
            [
                "ls",
                *source,
                "--where",
                "config.mixer=qmix and metrics.test_return_mean>300",
                "--columns",
                "name",
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.split() == ["name", folder.name]
    monkeypatch.setenv("COHORT_MONGO_URL", mongod.url())
    assert main(["show", "qmix", "--database", database.name, "--mongo"]) == 0
    assert "COMPLETED at 400 of 400 steps, 100 updates" in capsys.readouterr().out
    assert (
        main(
            [
                "plot",
                "--database",
                database.name,
                "--mongo",
                "--x",
                "updates",
                "--out",
                str(tmp_path / "a.png"),
            ]
        )
        == 0
    )
    assert main(["export", "--database", database.name, "--mongo", "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 1 + 4
    assert main(["diff", "qmix", "qmix", "--mongo", "--database", database.name]) == 0
    pytest.importorskip("plotly", reason="needs requirements/report.txt")
    page = tmp_path / "a.html"
    assert main(["report", "--mongo", "--database", database.name, "--out", str(page)]) == 0
    assert folder.name in page.read_text()


def test_a_server_that_is_lost_in_between_is_said(
    record: Callable[..., RunFolder], target: MongoTarget, mongod: Mongod, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cohort.recording.mongo import target as mongo_target

    record(lambda recorder: log(recorder, 0))
    monkeypatch.setattr(mongo_target, "SELECTION_MS", 200)
    (run,) = find_mongo_runs(target)
    mongod.kill()
    try:
        for ask in (lambda: run.recent_metrics, lambda: run.records, lambda: run.sessions):
            with pytest.raises(UserError, match="cannot be reached"):
                ask()
    finally:
        mongod.start()


def test_what_is_not_there_is_said(
    target: MongoTarget, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=f"no runs in the database '{target.database}'"):
        find_mongo_runs(target)
    monkeypatch.delenv("COHORT_MONGO_URL", raising=False)
    assert main(["ls", "--mongo"]) == 2
    assert "set COHORT_MONGO_URL" in capsys.readouterr().err
    assert main(["ls", "here", "--mongo=mongodb://x"]) == 2
    assert "not both" in capsys.readouterr().err
    assert main(["ls", "--mongo=mongodb://127.0.0.1:1"]) == 2
    assert "cannot be reached" in capsys.readouterr().err
