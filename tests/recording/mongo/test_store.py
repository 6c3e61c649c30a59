"""What is sent to MongoDB, how often it may be sent, and that an address never shows its password."""

import datetime
import math
import threading
from typing import Any

import pytest

from cohort.errors import UserError
from cohort.recording.credentials import EXAMPLE, without_credentials
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import Record
from cohort.recording.mongo import session as mongo_session
from cohort.recording.mongo import store as mongo_store
from cohort.recording.mongo.session import Curves, read_session
from cohort.recording.mongo.store import make_indexes, send
from cohort.recording.mongo.target import MongoTarget, connect
from tests.mongo_runs import assert_equal, log, record_run
from tests.mongod import Mongod


def session_of(folder: RunFolder, said: list[str], *steps: int) -> Any:
    record_run(lambda recorder: log(recorder, *steps), folder, None, said)
    return read_session(folder, 1)


def test_sending_twice_and_from_two_places_gives_one_document(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any
) -> None:
    session = session_of(folder, said, *range(1, 200))
    problems: list[Exception] = []

    def sender() -> None:
        try:
            connection = target.connect()
            make_indexes(connection)
            send(connection, session, session.curves(), compare=True)
            connection.client.close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=sender) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender()
    # two that start a metric at the same moment: one of them is refused by the index, and the next attempt succeeds
    assert all("duplicate key" in str(problem) for problem in problems)
    assert_equal(database, folder)
    assert database["fs.files"].count_documents({}) >= 1
    connection = target.connect()
    assert send(connection, session, session.curves(), compare=True).nothing
    connection.client.close()


@pytest.mark.parametrize(
    "damage", ["points lost", "points wrong", "metric gone", "too many", "status", "file gone"]
)
def test_what_differs_is_found_and_sent(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any, damage: str
) -> None:
    folder.console.write_text("said")
    session = session_of(folder, said, 100, 200, 300)
    make_indexes(database)
    assert send(database, session, session.curves(), compare=True).points == 6
    loss = {"name": "loss"}
    if damage == "points lost":
        change = {"steps": [100], "values": [100.0], "timestamps": [datetime.datetime(2026, 1, 1)]}
        database.metrics.update_one(loss, {"$set": change})
    elif damage == "points wrong":
        database.metrics.update_one(loss, {"$set": {"values.1": -1.0}})
    elif damage == "metric gone":
        database.metrics.delete_one(loss)
    elif damage == "too many":
        database.metrics.update_one(loss, {"$push": {"steps": 1, "values": 1.0}})
    elif damage == "status":
        database.runs.update_one({}, {"$set": {"status": "RUNNING"}, "$unset": {"stop_time": 1}})
    else:
        database["fs.files"].delete_many({})
    sent = send(database, session, session.curves(), compare=True)
    assert not sent.nothing
    assert not sent.is_new
    if damage == "points lost":
        sent_again = database.metrics.find_one(loss)["timestamps"]
        assert sent_again[0] == datetime.datetime(2026, 1, 1), "points that agree are not sent again"
        return
    assert_equal(database, folder)
    assert send(database, session, session.curves(), compare=True).nothing


def test_what_was_cut_off_says_running_and_is_completed_by_the_next_attempt(
    folder: RunFolder, said: list[str], database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.console.write_text("said")
    session = session_of(folder, said, 100, 200)

    def cut(*arguments: Any) -> None:
        raise ConnectionError("cut")

    with monkeypatch.context() as patched:
        patched.setattr(mongo_store, "_send_artifacts", cut)
        with pytest.raises(ConnectionError):
            send(database, session, session.curves(), compare=True)
    assert [run["status"] for run in database.runs.find()] == ["RUNNING"]
    sent = send(database, session, session.curves(), compare=True)
    assert (sent.is_new, sent.points, sent.files) == (False, 0, 2)
    assert_equal(database, folder)


def test_the_server_itself_refuses_a_second_document_of_a_session(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any
) -> None:
    from pymongo.errors import DuplicateKeyError

    record_run(lambda recorder: log(recorder, 1), folder, target, said)
    for collection in ("runs", "metrics"):
        again = database[collection].find_one() | {"_id": 99}
        with pytest.raises(DuplicateKeyError):
            database[collection].insert_one(again)


def test_a_nan_that_is_there_is_not_sent_again(folder: RunFolder, said: list[str], database: Any) -> None:
    record_run(lambda recorder: recorder.log(1, 1, 1, {"return_mean": math.nan}), folder, None, said)
    session = read_session(folder, 1)
    assert send(database, session, session.curves(), compare=True).points == 1
    assert send(database, session, session.curves(), compare=True).nothing
    assert_equal(database, folder)


def test_metrics_that_a_deleted_run_left_behind_are_nobodys(
    folder: RunFolder, said: list[str], target: MongoTarget, database: Any
) -> None:
    database.metrics.insert_one(
        {"run_id": 1, "name": "loss", "steps": [1, 2], "values": [8.0, 9.0], "timestamps": []}
    )
    database.runs.insert_one({"_id": "a run of somebody who gives them names"})
    record_run(lambda recorder: log(recorder, 1, 2), folder, target, said)
    assert assert_equal(database, folder)["_id"] == 2
    assert said == []


def test_more_points_than_a_document_holds_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_session, "MAX_POINTS", 100)
    start = datetime.datetime(2026, 1, 1)
    everything = [Record(step, 0, 0, step / 10, {"loss": float(step)}) for step in range(0, 100_000, 10)]
    curves = Curves(start, 0.0, 100_000).add(everything[:5000]).add(everything[5000:])
    assert curves.series["loss"].steps == list(range(0, 100_000, 1000))
    assert Curves(start, 0.0, 100).add(everything).series["loss"].steps == [one.t_env for one in everything]


# --- addresses and passwords


@pytest.mark.parametrize(
    "url",
    [
        "localhost:27017",
        "mongodb://",
        "mongodb://ann:ge/heim@host",
        "mongodb://ann:ge@heim@host",
        "mongodb://ann:geheim@host:99999",
        "mongodb://ann:geheim:x@host",
        "mongodb://ann:geheim@host/?tls=perhaps",
        "postgres://ann:geheim@host",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UserError, match="is not an address") as refused:
        MongoTarget(url)
    assert "heim" not in str(refused.value)
    assert EXAMPLE in without_credentials(str(refused.value))


def test_places_are_shown_and_credentials_are_not() -> None:
    for url, place in {
        "mongodb://ann:geheim@db.lab": "db.lab:27017",
        "mongodb://ann:geheim@a:1,b:2/admin?replicaSet=x": "a:1,b:2",
        "mongodb+srv://ann:geheim@cluster.example.net/": "cluster.example.net",
    }.items():
        target = MongoTarget(url)
        assert target.place == place
        assert "ann" not in repr(target)
        assert "geheim" not in target.explain(ValueError(f"bad {url} for ann with geheim"))


def test_connect_is_for_readers_too(mongod: Mongod, database: Any) -> None:
    database.runs.insert_one({"_id": 1})
    opened = connect(mongod.url(), database.name)
    assert opened.runs.find_one() == {"_id": 1}
    opened.client.close()
    with pytest.raises(UserError, match="refuses the user name or the password"):
        connect(mongod.url(password="x"), database.name)
    with pytest.raises(UserError, match="role readWrite"):
        connect(f"mongodb://127.0.0.1:{mongod.port}")


@pytest.mark.parametrize(
    "text",
    [
        "mongodb://ann:ge/he im@x@db:1",
        "error: --mong=mongodb+srv://ann:geheim@db",
        "x mongodb://db/?authMechanismProperties=AWS_SESSION_TOKEN:geheim",
        "mongodb://db/?tlsCertificateKeyFilePassword=geheim",
    ],
)
def test_passwords_with_any_character_are_hidden(text: str) -> None:
    assert not {"ann", "heim", "im@"} & set(without_credentials(text).replace("/", " ").split())
    assert "heim" not in without_credentials(text)
    assert "im@x" not in without_credentials(text)
