"""MongoDB beside a run: a real server that has everything, goes away, comes back, refuses, or never answers."""

import datetime
import json
import math
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cohort.cli import main
from cohort.recording.credentials import EXAMPLE
from cohort.recording.folder import RunFolder
from cohort.recording.info import as_readers_expect
from cohort.recording.metrics import read_metrics
from cohort.recording.mongo import mirror as mongo_mirror
from cohort.recording.mongo import target as mongo_target
from cohort.recording.mongo.target import MongoTarget
from cohort.recording.recorder import Recorder
from cohort.recording.sacred_mirror import RunInterrupted
from tests import harness
from tests.mongo_runs import CONFIG, assert_equal, log, record_run
from tests.mongod import PASSWORD, USER, Mongod, free_port, wait_for


def test_a_run_is_read_back_equal(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any
) -> None:
    for path in (folder.console, folder.provenance):
        path.write_text("{}")
    folder.curve.write_bytes(bytes(range(256)) * 2000)  # more than one chunk

    def work(recorder: Recorder) -> None:
        recorder.log(0, 0, 0, {"test_return_mean": 0.1})
        recorder.log(100, 1, 4, {"return_mean": -1e-300, "loss": math.nan, "grad_norm": math.inf})
        recorder.log(2**40, 2, 8, {"return_mean": 2.5, "loss": -math.inf, "test_return_mean": 7.0})

    outcome = record_run(work, folder, target, said)
    assert said == []
    run = assert_equal(database, folder)
    assert (run["_id"], run["status"], outcome.status) == (1, "COMPLETED", "COMPLETED")
    assert run["result"] == {"return_mean": 2.5, "test_return_mean": 7.0}
    assert isinstance(run["start_time"], datetime.datetime)
    assert database.runs.count_documents({"config.mixer": "qmix", "config.env_args.map_name": "3m"}) == 1
    assert "mongo-mirror" not in {thread.name for thread in threading.enumerate()}


def shape(value: Any) -> Any:
    """Keys and types of a document, without its values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_the_layout_is_that_of_sacreds_own_observer(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any, mongod: Mongod
) -> None:
    from sacred import Experiment
    from sacred.observers import MongoObserver

    folder.console.write_text("said")
    with mongod.client() as client:
        observer = MongoObserver(client=client, db_name=database.name)
        experiment = Experiment("qmix", save_git_info=False)
        experiment.add_config(as_readers_expect(CONFIG))
        experiment.observers = [observer]

        @experiment.main
        def run() -> dict[str, float]:
            experiment.log_scalar("loss", 0.5, 10)
            experiment.add_artifact(str(folder.console))
            return {"return_mean": 1.0}

        experiment.run(meta_info={"run_folder": "theirs"})
    record_run(
        lambda recorder: recorder.log(10, 1, 1, {"loss": 0.5, "return_mean": 1.0}), folder, target, said
    )
    theirs, ours = database.runs.find_one({"_id": 1}), database.runs.find_one({"_id": 2})
    for run in (theirs, ours):  # what depends on settings, and is no part of the layout
        for key in ("experiment", "meta", "host"):
            run.pop(key)
    # PyMARL's lists, which its own code puts there
    assert ours["info"].pop("loss") == [0.5]
    assert ours["info"].pop("loss_T") == [10]
    assert ours["info"].keys() == {"metrics", "return_mean", "return_mean_T"}
    ours["info"] = {"metrics": ours["info"]["metrics"]}
    assert shape(theirs) == shape(ours)
    metrics = [database.metrics.find_one({"run_id": number, "name": "loss"}) for number in (1, 2)]
    assert shape(metrics[0]) == shape(metrics[1])
    assert metrics[0]["values"] == metrics[1]["values"]
    files = [database["fs.files"].find_one({"_id": run["artifacts"][0]["file_id"]}) for run in (theirs, ours)]
    assert files[0]["filename"].replace("/1/", "/2/") == files[1]["filename"]
    assert set(files[0]) <= set(files[1])
    assert files[0]["contentType"] == files[1]["contentType"]


def test_a_server_that_is_killed_and_restarted_misses_nothing(
    folder: RunFolder,
    said: list[str],
    target: MongoTarget,
    database: Any,
    mongod: Mongod,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongo_target, "SELECTION_MS", 500)

    def stored() -> list[int]:
        found = database.metrics.find_one({"name": "loss"})
        return found["steps"] if found else []

    def work(recorder: Recorder) -> None:
        log(recorder, 100, 200)
        wait_for(lambda: stored() == [100, 200])
        assert database.runs.find_one()["status"] == "RUNNING"
        mongod.kill()
        log(recorder, 300)
        wait_for(lambda: len(said) == 1)
        log(recorder, 400)
        mongod.start()
        wait_for(lambda: len(said) == 2)
        assert stored() == [100, 200, 300, 400]
        log(recorder, 500)

    record_run(work, folder, target, said)
    assert "cannot be reached" in said[0]
    assert f"python run.py sync {folder.root}" in said[0]
    assert said[1].endswith("is back and misses nothing.")
    assert len(said) == 2
    assert_equal(database, folder)


def test_a_server_that_is_back_before_the_end_gets_everything_then(
    folder: RunFolder,
    said: list[str],
    target: MongoTarget,
    database: Any,
    mongod: Mongod,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongo_target, "SELECTION_MS", 500)

    def work(recorder: Recorder) -> None:
        log(recorder, 100)
        wait_for(lambda: len(said) == 1)
        mongod.start()  # long before the next attempt is due

    mongod.kill()
    record_run(work, folder, target, said, beat=30.0)
    assert said[1:] == [f"MongoDB at {target.place} is back and misses nothing."]
    assert_equal(database, folder)


def test_sessions_of_a_run_have_documents_of_their_own(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any
) -> None:
    saved: dict[str, Any] = {}

    def first(recorder: Recorder) -> None:
        log(recorder, 100, 200)
        saved.update(recorder.state_dict())
        log(recorder, 300)
        raise RunInterrupted("SIGTERM")

    record_run(first, folder, target, said)
    before = list(database.metrics.find({"run_id": 1}))
    record_run(lambda recorder: log(recorder, 250), folder, target, said, resumed=saved)
    assert said == []
    runs = list(database.runs.find().sort("_id", 1))
    assert [(run["meta"]["session"], run["status"]) for run in runs] == [(1, "TERMINATED"), (2, "COMPLETED")]
    assert list(database.metrics.find({"run_id": 1})) == before, "what the first session had is left alone"
    assert [one["steps"] for one in before] == [[100, 200, 300]] * 2
    assert_equal(database, folder, session=2)


def test_a_failed_run_has_its_traceback(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any
) -> None:
    def work(recorder: Recorder) -> None:
        log(recorder, 100)
        raise ZeroDivisionError("a learner's mistake")

    with pytest.raises(ZeroDivisionError):
        record_run(work, folder, target, said)
    run = assert_equal(database, folder)
    assert run["status"] == "FAILED"
    assert "a learner's mistake" in "".join(run["fail_trace"])


# --- lost from the beginning


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


def timed_run(folder: RunFolder, target: MongoTarget | None, said: list[str]) -> tuple[float, float]:
    """Seconds that 50 log events and the whole session take."""
    times: list[float] = []

    def work(recorder: Recorder) -> None:
        began = time.monotonic()
        log(recorder, *range(1, 51))
        times.append(time.monotonic() - began)

    began = time.monotonic()
    assert record_run(work, folder, target, said).status == "COMPLETED"
    return times[0], time.monotonic() - began


@pytest.mark.parametrize("what", ["closed port", "black hole"])
def test_a_server_that_is_not_there_is_said_once_and_harms_nothing(
    folder: RunFolder, said: list[str], what: str
) -> None:
    with black_hole() as port:
        target = MongoTarget(
            f"mongodb://ann:geheim@127.0.0.1:{free_port() if what == 'closed port' else port}"
        )
        within, whole = timed_run(folder, target, said)
    assert len(said) == 1, said
    assert "cannot be reached" in said[0] or "does not answer" in said[0]
    assert "geheim" not in said[0]
    assert within < mongo_target.SELECTION_MS / 1000, "the training loop waited"
    assert whole < within + mongo_mirror.GOODBYE_SECONDS + 2, "the end waited longer than it may"
    assert [record.t_env for record in read_metrics(folder.metrics)] == list(range(1, 51))
    assert json.loads((folder.sacred / "1" / "run.json").read_text())["status"] == "COMPLETED"


def test_a_server_that_falls_silent_does_not_hold_the_end(
    folder: RunFolder,
    said: list[str],
    target: MongoTarget,
    database: Any,
    mongod: Mongod,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongo_mirror, "ANSWER_SECONDS", 0.5)
    with ExitStack() as frozen:

        def work(recorder: Recorder) -> None:
            log(recorder, 100)
            wait_for(lambda: database.metrics.count_documents({}) == 2)
            frozen.enter_context(mongod.frozen())
            log(recorder, 200)

        began = time.monotonic()
        record_run(work, folder, target, said)
        took = time.monotonic() - began
    assert len(said) == 1
    assert took < 5


@pytest.mark.parametrize("wrong", ["password", "user"])
def test_a_wrong_login_is_said_once(
    folder: RunFolder, said: list[str], mongod: Mongod, database: Any, wrong: str
) -> None:
    url = mongod.url(password="falsch!") if wrong == "password" else mongod.url(user="niemand")

    def work(recorder: Recorder) -> None:
        for step in range(1, 100):
            log(recorder, step)
            time.sleep(0.01)

    record_run(work, folder, MongoTarget(url, database.name), said, beat=0.02)
    assert len(said) == 1, said
    assert f"127.0.0.1:{mongod.port} refuses the user name or the password" in said[0]
    for secret in ("falsch", "niemand", USER, PASSWORD, "ge%3A"):
        assert secret not in said[0]
    assert len(read_metrics(folder.metrics)) == 99


def test_a_user_who_may_not_write_is_told_what_is_needed(
    folder: RunFolder, said: list[str], mongod: Mongod, database: Any
) -> None:
    with mongod.client() as client:
        client[database.name].command("createUser", "guest", pwd="guest", roles=["read"])
    url = mongod.url("guest", "guest") + f"/{database.name}"
    record_run(lambda recorder: log(recorder, 1), folder, MongoTarget(url, database.name), said)
    assert len(said) == 1
    assert f"does not let us use its database {database.name!r}" in said[0]
    assert "role readWrite" in said[0]


def test_a_record_that_the_database_cannot_take_is_said(
    folder: RunFolder, said: list[str], target: MongoTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIG, "huge", 2**70)
    assert record_run(lambda recorder: log(recorder, 1), folder, target, said).status == "COMPLETED"
    assert len(said) == 1
    assert "cannot be given this record (OverflowError" in said[0]


# --- from the command line


def test_the_command_line_records_a_real_run_and_its_resumption(
    tmp_path: Path, mongod: Mongod, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHORT_MONGO_URL", "mongodb://127.0.0.1:1")  # what is typed counts more
    typed = f"t_max=8 mongo_database={database.name} env_args.map_name=climbing local_results_path={tmp_path}"
    assert main([*harness.words("vdn", "matrix_games", typed), f"--mongo={mongod.url()}"]) == 0
    folder = RunFolder(harness.only_run(tmp_path))
    run = assert_equal(database, folder)
    assert {one["name"] for one in run["artifacts"]} >= {
        "console.log",
        "metrics.jsonl",
        "curve.png",
        "provenance.json",
    }
    monkeypatch.setenv("COHORT_MONGO_URL", mongod.url())
    assert main([f"--resume={folder.root}", "with", "t_max=16"]) == 0
    assert assert_equal(database, folder, session=2)["config"]["t_max"] == 16


def test_an_address_that_is_none_stops_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = harness.words("vdn", "matrix_games", f"local_results_path={tmp_path}/results")
    assert main([*words, "--mongo=mongodb://ann:ge/heim@host"]) == 2
    printed = capsys.readouterr()
    assert EXAMPLE in printed.err
    assert "heim" not in printed.err
    assert not (tmp_path / "results").exists()
    assert main([*words, "--mong=mongodb://ann:ge heim@host"]) == 2
    assert "heim" not in capsys.readouterr().err


def test_no_password_reaches_the_record_the_output_or_a_childs_command(
    tmp_path: Path, mongod: Mongod
) -> None:
    url = mongod.url(password="wrong&geheim")
    typed = f"t_max=8 env_args.map_name=climbing local_results_path={tmp_path}"
    ended = harness.run_py(*harness.words("vdn", "matrix_games", typed), f"--mongo={url}")
    assert ended.returncode == 0
    assert ended.stdout.count("refuses the user name or the password") == 1
    assert ended.stderr == ""
    folder = harness.only_run(tmp_path)
    assert "--mongo=mongodb://***@127.0.0.1" in (folder / "command.txt").read_text()
    found = subprocess.run(
        ["grep", "-rlaiE", f"geheim|{USER}", folder], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    assert "geheim" not in ended.stdout
