"""Bringing a database up to date with a session. Every step may be repeated, or cut off and repeated, without harm."""

import hashlib
import mimetypes
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohort.recording.info import info_lists
from cohort.recording.mongo.session import Curves, Series, Session

if TYPE_CHECKING:
    from pymongo.database import Database

    Runs = Database[dict[str, Any]]

_ATTEMPTS = 1000  # at a free number, which as many runs may want at once


@dataclass(frozen=True)
class Sent:
    """What a database lacked and has now.

    Attributes:
        is_new: it did not know the session.
        fields: fields of the run's document that differed.
        points: points of metrics that were missing or different.
        files: artifacts.
    """

    is_new: bool
    fields: int
    points: int
    files: int

    @property
    def nothing(self) -> bool:
        return not (self.is_new or self.fields or self.points or self.files)


def make_indexes(database: "Runs") -> None:
    """Let the server itself keep every session single, and find its metrics without reading everyone's."""
    from pymongo.errors import OperationFailure

    identity = [("meta.run_folder", 1), ("meta.session", 1), ("start_time", 1)]
    ours = {"meta.run_folder": {"$exists": True}}
    with suppress(OperationFailure):  # a user who may not, or others' records that would break the rule
        database["runs"].create_index(identity, unique=True, partialFilterExpression=ours)
    with suppress(OperationFailure):
        database["metrics"].create_index([("run_id", 1), ("name", 1)], unique=True)


def send(database: "Runs", session: Session, curves: Curves, *, compare: bool) -> Sent:
    """Give `database` what it lacks of `session`; its status comes last, so that COMPLETED means complete.

    Args:
        database: from `MongoTarget.connect`, with `make_indexes` done.
        session: what Sacred's files say.
        curves: the session's points.
        compare: look at every point that is there, not only at how many there are. Needed where somebody else,
            or an earlier attempt of which nothing is known, may have written them.

    Raises:
        PyMongoError: the connection was lost, or the server refused something.
        OSError: an artifact cannot be read.
    """
    stored, is_new = _find_or_insert(database, session.document)
    number = stored["_id"]
    points = _send_points(database, number, curves, compare=compare, complete=session.complete)
    artifacts, files = _send_artifacts(database, number, session.artifacts, stored.get("artifacts", []))
    lists = stored.get("info", {})
    if session.complete or not lists:  # else what is there is not taken away
        lists = info_lists({name: (series.steps, series.values) for name, series in curves.series.items()})
    sources = _send_sources(database, session, stored, compare=compare)
    document = {
        **session.document,
        "experiment": {**session.document["experiment"], "sources": sources},
        "info": {**lists, "metrics": _metric_ids(database, number)},
        "artifacts": artifacts,
    }
    changed = {key: value for key, value in document.items() if not _same(stored.get(key), value)}
    if changed:
        database["runs"].update_one({"_id": number}, {"$set": changed})
    _drop_outdated(database, number, artifacts)
    return Sent(is_new, 0 if is_new else len(changed), points, files)


def _find_or_insert(database: "Runs", document: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The run's document in the database, and whether it had to be made: under the next free number, RUNNING."""
    from pymongo.errors import DuplicateKeyError

    runs, meta = database["runs"], document["meta"]
    identity = {
        "meta.run_folder": meta["run_folder"],
        "meta.session": meta["session"],
        "start_time": document["start_time"],
    }
    refused = 0
    while (found := runs.find_one(identity)) is None:
        stored = {
            "_id": _next_number(database),
            **document,
            "status": "RUNNING",
            "info": {},
            "artifacts": [],
        }
        try:
            runs.insert_one(stored)
            return stored, True
        except DuplicateKeyError:  # another run took the number, or another process sent this session
            refused += 1
            if refused == _ATTEMPTS:
                raise
    return found, False


def _next_number(database: "Runs") -> int:
    """One more than any run's, also of those that somebody deleted without their metrics."""
    used = [0]
    for collection, key in (("runs", "_id"), ("metrics", "run_id")):
        newest = database[collection].find_one({key: {"$type": "number"}}, {key: 1}, sort=[(key, -1)])
        used += [] if newest is None else [int(newest[key])]
    return max(used) + 1


def _send_points(database: "Runs", number: int, curves: Curves, *, compare: bool, complete: bool) -> int:
    from pymongo import UpdateOne

    there = _stored_points(database, number, whole=compare)
    updates, sent = [], 0
    for name, series in curves.series.items():
        stored = there.get(name)
        keep = 0 if stored is None else _common(stored, series) if compare else min(stored, len(series.steps))
        length = 0 if stored is None else len(stored.steps) if compare else stored
        if keep == length == len(series.steps) or (not complete and length >= len(series.steps)):
            continue
        updates.append(UpdateOne({"run_id": number, "name": name}, _continued(series, keep), upsert=True))
        sent += max(len(series.steps), length) - keep
    if updates:
        database["metrics"].bulk_write(updates, ordered=False)
    return sent


def _stored_points(database: "Runs", number: int, *, whole: bool) -> dict[str, Any]:
    """What the database has of each metric: a `Series` without times, or only its length."""
    if whole:
        fields = {"name": 1, "steps": 1, "values": 1}
        found = database["metrics"].find({"run_id": number}, fields)
        return {one["name"]: Series(one["steps"], one["values"]) for one in found}
    counted = [{"$match": {"run_id": number}}, {"$project": {"name": 1, "count": {"$size": "$steps"}}}]
    return {one["name"]: one["count"] for one in database["metrics"].aggregate(counted)}


def _continued(series: Series, keep: int) -> list[dict[str, Any]]:
    """An update to `series`, of which the first `keep` points are there: it may run twice, as `$push` may not."""
    return [
        {
            "$set": {
                key: {"$concatArrays": [{"$slice": [f"${key}", keep]} if keep else [], {"$literal": new}]}
                for key, new in (
                    ("steps", series.steps[keep:]),
                    ("values", series.values[keep:]),
                    ("timestamps", series.timestamps[keep:]),
                )
            }
        }
    ]


def _common(stored: Series, series: Series) -> int:
    """How many points agree from the beginning on; a NaN agrees with a NaN."""
    count = 0
    for step, value, other_step, other in zip(
        stored.steps, stored.values, series.steps, series.values, strict=False
    ):
        if step != other_step or not (value == other or (value != value and other != other)):
            break
        count += 1
    return count


def _metric_ids(database: "Runs", number: int) -> list[dict[str, str]]:
    found = database["metrics"].find({"run_id": number}, {"name": 1}).sort("name", 1)
    return [{"name": one["name"], "id": str(one["_id"])} for one in found]


def _send_artifacts(
    database: "Runs", number: int, paths: Mapping[str, Path], stored: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], int]:
    """The list for the run's document, and how many files had to be sent. What is only there stays there."""
    from gridfs import GridFS

    if not paths:
        return stored, 0
    files, known, sent = GridFS(database), {one["name"]: one["file_id"] for one in stored}, 0
    for name, path in paths.items():
        content = path.read_bytes()
        digest, filename = hashlib.sha256(content).hexdigest(), f"artifact://runs/{number}/{name}"
        found = files.find_one({"filename": filename, "metadata.sha256": digest})
        if found is None:
            kind = mimetypes.guess_type(name)[0]
            known[name] = files.put(
                content, filename=filename, content_type=kind, metadata={"sha256": digest}
            )
            sent += 1
        else:
            known[name] = found._id
    return [{"name": name, "file_id": file_id} for name, file_id in known.items()], sent


def _send_sources(
    database: "Runs", session: Session, stored: Mapping[str, Any], *, compare: bool
) -> list[list[Any]]:
    """Name and GridFS id of each source. A file of many runs is stored once, whichever run sends it."""
    from bson import ObjectId
    from gridfs import GridFS

    known = stored["experiment"].get("sources", [])
    sent = all(isinstance(number, ObjectId) for _, number in known)
    if sent and not compare and [name for name, _ in known] == list(session.sources):
        return known
    files, found = GridFS(database), []
    for name, path in session.sources.items():
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        there = files.find_one({"filename": name, "metadata.sha256": digest})
        number = (
            files.put(content, filename=name, metadata={"sha256": digest}) if there is None else there._id
        )
        found.append([name, number])
    return found


def _drop_outdated(database: "Runs", number: int, artifacts: list[dict[str, Any]]) -> None:
    """Remove the files that newer ones have replaced in the run's document."""
    from gridfs import GridFS

    if not artifacts:
        return
    files = GridFS(database)
    names = [f"artifact://runs/{number}/{artifact['name']}" for artifact in artifacts]
    current = {artifact["file_id"] for artifact in artifacts}
    for stored in files.find({"filename": {"$in": names}}):
        if stored._id not in current:
            files.delete(stored._id)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are stored alike: NaN equals itself here, and 1 is not 1.0 or True."""
    import bson

    return bson.encode({"value": one}) == bson.encode({"value": other})
