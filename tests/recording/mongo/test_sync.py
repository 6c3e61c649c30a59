"""`run.py sync`: what a database missed arrives later, whatever it missed it by, and nothing arrives twice."""

import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cohort.cli import main
from cohort.recording.folder import RunFolder, create_run_folder
from cohort.recording.metrics import read_metrics
from cohort.recording.mongo import target as mongo_target
from cohort.recording.mongo.target import MongoTarget
from cohort.recording.recorder import Recorder
from cohort.recording.sacred_mirror import RunInterrupted
from tests.mongo_runs import assert_equal, assert_metrics, log, record_run
from tests.mongod import PASSWORD, Mongod, wait_for

Sync = Callable[..., str]


@pytest.fixture
def sync(target: MongoTarget, database: Any, capsys: pytest.CaptureFixture[str]) -> Sync:
    """Runs the command with this test's server and database, and gives what it printed."""

    def run(*words: object, status: int = 0) -> str:
        capsys.readouterr()
        typed = ["sync", *map(str, words), f"--mongo={target.url}", f"--database={database.name}"]
        assert main(typed) == status
        printed = capsys.readouterr()
        assert PASSWORD not in printed.out + printed.err
        assert target.url not in printed.out + printed.err
        return printed.err if status == 2 else printed.out

    return run


def dump(database: Any) -> dict[str, list[dict[str, Any]]]:
    """Everything that is in a database."""
    names = sorted(database.list_collection_names())
    return {name: list(database[name].find().sort("_id", 1)) for name in names}


def test_what_a_lost_server_missed_arrives_later_and_once(
    folder: RunFolder,
    said: list[str],
    target: MongoTarget,
    database: Any,
    mongod: Mongod,
    sync: Sync,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongo_target, "SELECTION_MS", 500)
    folder.console.write_text("said")

    def work(recorder: Recorder) -> None:
        log(recorder, 100, 200)
        wait_for(lambda: database.metrics.count_documents({"steps": 200}) == 2)
        database.client.admin.command("fsync")  # its journal is written ten times a second only
        mongod.kill()
        log(recorder, 300, 400)

    assert record_run(work, folder, target, said).status == "COMPLETED"
    assert len(said) == 1
    mongod.start()
    assert database.runs.find_one()["status"] == "RUNNING"
    printed = sync(folder.root)
    assert f"{folder.name}   1  sent: 4 points, 2 files," in printed
    assert "(COMPLETED)" in printed
    assert_equal(database, folder)
    before = dump(database)
    assert f"{folder.name}   1  complete (COMPLETED)" in sync(folder.root)
    assert dump(database) == before


def test_every_run_of_a_folder_that_was_recorded_without_a_server(
    tmp_path: Path, said: list[str], database: Any, sync: Sync
) -> None:
    # the same name may be given twice, in another folder or on another machine: these are different runs
    folders = [create_run_folder(tmp_path / "results" / place, "qmix__3m") for place in ("", "", "sweep")]
    for number, folder in enumerate(folders):
        record_run(lambda recorder, step=number: log(recorder, 10 + step), folder, None, said)
    printed = sync(f"--results={tmp_path / 'results'}")
    assert printed.count("new: 2 points, 1 file (COMPLETED)") == 3
    assert "3 runs compared" in printed
    for folder in folders:
        assert_equal(database, folder)
    assert [run["_id"] for run in database.runs.find().sort("_id", 1)] == [1, 2, 3]


def test_a_run_that_a_person_copied_is_the_same_run(
    folder: RunFolder, said: list[str], database: Any, sync: Sync, tmp_path: Path
) -> None:
    record_run(lambda recorder: log(recorder, 1), folder, None, said)
    sync(folder.root)
    copy = shutil.copytree(folder.root, tmp_path / "elsewhere" / folder.name)
    assert "complete" in sync(copy)
    assert database.runs.count_documents({}) == 1


def test_sessions_that_were_killed_and_resumed(
    folder: RunFolder, said: list[str], database: Any, sync: Sync
) -> None:
    saved: dict[str, Any] = {}

    def killed(recorder: Recorder) -> None:
        log(recorder, 100)
        saved.update(recorder.state_dict())
        log(recorder, 200)
        raise RunInterrupted("SIGTERM")

    record_run(killed, folder, None, said)
    first = folder.sacred / "1" / "run.json"
    content = json.loads(first.read_text())
    first.write_text(json.dumps(content | {"status": "RUNNING", "artifacts": [], "stop_time": None}))
    (folder.sacred / "1" / "metrics.jsonl").unlink()
    folder.status.write_text(folder.status.read_text().replace("TERMINATED", "RUNNING"))
    sync(folder.root)  # killed, and nobody has resumed it yet
    (run,) = database.runs.find()
    assert run["status"] == "RUNNING", "nobody knows how it ended"
    assert_metrics(database, run, read_metrics(folder.metrics))
    assert {one["name"] for one in run["artifacts"]} == {"metrics.jsonl"}

    record_run(lambda recorder: log(recorder, 150), folder, None, said, resumed=saved)
    thinned = folder.sacred / "1" / "metrics.json"
    points = json.loads(thinned.read_text())
    for values in points["loss"].values():
        del values[0]
    thinned.write_text(json.dumps(points))
    printed = sync(folder.root)
    assert "1  complete (RUNNING)" in printed, "what was there is not taken away"
    assert "2  new: 4 points" in printed
    assert_equal(database, folder, session=2)
    database.runs.delete_one({"meta.session": 1})
    database.metrics.delete_many({"run_id": run["_id"]})
    assert "1  new: 3 points" in sync(folder.root), "from Sacred's own file of the first session"


def test_a_record_that_sacred_left_open_is_closed_as_the_run_says(
    folder: RunFolder, said: list[str], database: Any, sync: Sync
) -> None:
    record_run(lambda recorder: log(recorder, 100), folder, None, said)
    path = folder.sacred / "1" / "run.json"
    content = json.loads(path.read_text()) | {"status": "RUNNING"}
    del content["stop_time"]
    path.write_text(json.dumps(content))
    sync(folder.root)
    (run,) = database.runs.find()
    assert run["status"] == "COMPLETED"
    assert abs((run["stop_time"] - run["start_time"]).total_seconds()) < 60


def test_runs_that_are_going_or_damaged_do_not_stop_the_others(
    tmp_path: Path, said: list[str], database: Any, sync: Sync
) -> None:
    results = tmp_path / "results"
    going, damaged, empty, good = (create_run_folder(results, name) for name in ("a", "b", "c", "d"))
    for folder in (going, damaged, good):
        record_run(lambda recorder: log(recorder, 100), folder, None, said)
    (damaged.sacred / "1" / "config.json").write_text("{")
    empty.config.write_text("")
    empty.metrics.write_text("")
    with open(going.metrics, "ab") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        printed = sync(f"--results={results}", status=1)
    assert "still going: left to itself" in printed
    assert "failed: its record is damaged" in printed
    assert "config.json cannot be read" in printed
    assert "Sacred has no record of it" in printed
    assert [run["meta"]["run_folder"] for run in database.runs.find()] == [good.name]


def test_each_run_goes_to_its_own_database_unless_told_another(
    folder: RunFolder,
    said: list[str],
    target: MongoTarget,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record_run(lambda recorder: log(recorder, 100), folder, None, said)
    path = folder.sacred / "1" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mongo_database": database.name}))
    monkeypatch.setenv("COHORT_MONGO_URL", target.url)
    assert main(["sync", str(folder.root)]) == 0
    assert "new: 2 points" in capsys.readouterr().out
    assert_equal(database, folder)


def test_a_server_that_is_not_there_or_refuses_is_one_message(
    folder: RunFolder, said: list[str], mongod: Mongod, capsys: pytest.CaptureFixture[str]
) -> None:
    record_run(lambda recorder: log(recorder, 100), folder, None, said)
    capsys.readouterr()
    for url, told in (
        ("mongodb://ann:geheim@127.0.0.1:1", "cannot be reached (connection refused)"),
        (mongod.url(password="geheim"), "refuses the user name or the password"),
        ("mongodb://ann:ge/heim@host", "is not an address"),
    ):
        assert main(["sync", str(folder.root), f"--mongo={url}"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert told in printed.err
        assert "heim" not in printed.err


def test_words_that_mean_nothing_are_told_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COHORT_MONGO_URL", raising=False)
    for words, told in (
        ([], "which server?"),
        (["--mongo=mongodb://h", f"--results={tmp_path}"], "there is no run in"),
        (["--mongo=mongodb://h", str(tmp_path / "nowhere")], "does not exist"),
        (
            ["--mngo=mongodb://ann:geheim@h"],
            "unknown option '--mngo=mongodb://***@h'. Did you mean '--mongo'?",
        ),
    ):
        assert main(["sync", *words]) == 2
        assert told in capsys.readouterr().err
