"""`python run.py sync`: gives MongoDB what it lacks of runs that are over."""

import argparse
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohort.arguments import Parser
from cohort.errors import UserError
from cohort.recording.credentials import EXAMPLE
from cohort.recording.folder import RunFolder, open_run_folder
from cohort.recording.mongo.session import read_session, session_numbers
from cohort.recording.mongo.store import Sent, make_indexes, send
from cohort.recording.mongo.target import DEFAULT_DATABASE, VARIABLE, MongoTarget

if TYPE_CHECKING:
    from pymongo.database import Database


def main(words: Sequence[str]) -> int:
    """Send what is missing, print what was done; 0 when nothing is missing any more, 1 when a run could not be sent.

    Raises:
        UserError: `words` mean nothing, there are no such runs, or the server cannot be reached.
    """
    options = _parse(words)
    folders = [open_run_folder(path) for path in options.runs] or _all_runs(options.results)
    databases = _Databases(options.mongo)
    width, failed = max(len(folder.name) for folder in folders), False
    try:
        for folder in folders:
            for session, done in _sync_run(folder, databases, options.database):
                failed |= done.startswith("failed")
                print(f"{folder.name:{width}}  {session:>2}  {done}")
    finally:
        databases.close()
    print(f"{len(folders)} run{'' if len(folders) == 1 else 's'} compared with MongoDB at {databases.place}")
    return 1 if failed else 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = Parser("sync", "Sends to MongoDB what it lacks of runs that are over.")
    parser.add_argument(
        "runs", nargs="*", metavar="RUN_FOLDER", type=Path, help="default: every run in --results"
    )
    parser.add_argument("--mongo", metavar="URL", help=f"{EXAMPLE}; default: the variable {VARIABLE}")
    parser.add_argument(
        "--database",
        metavar="NAME",
        help="default: each run's mongo_database (cohort unless it was told another)",
    )
    parser.add_argument("--results", metavar="FOLDER", type=Path, default=Path("results"))
    options = parser.parse(words)
    options.mongo = options.mongo or os.environ.get(VARIABLE)
    if not options.mongo:
        raise UserError(f"which server? Type --mongo={EXAMPLE} or set {VARIABLE}.")
    return options


def _all_runs(results: Path) -> list[RunFolder]:
    """Every run below `results`, also of sweeps in folders of their own."""
    found = sorted(
        path.parent for path in results.rglob("config.yaml") if (path.parent / "metrics.jsonl").is_file()
    )
    if not found:
        raise UserError(
            f"there is no run in {results}. Name run folders, or where they are: --results=<folder>"
        )
    return [RunFolder(path) for path in found]


class _Databases:
    """One connection for each database that the runs belong to."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: dict[str, Database[dict[str, Any]]] = {}
        self.place = MongoTarget(url).place

    def get(self, name: str) -> "Database[dict[str, Any]]":
        if name not in self._open:
            self._open[name] = MongoTarget(self._url, name).connect()
            make_indexes(self._open[name])
        return self._open[name]

    def explain(self, error: Exception) -> str:
        return MongoTarget(self._url).explain(error)

    def close(self) -> None:
        for database in self._open.values():
            database.client.close()


def _sync_run(folder: RunFolder, databases: _Databases, database: str | None) -> Iterator[tuple[str, str]]:
    """Each session of a run and what was done for it; a run that cannot be sent does not stop the others."""
    if _is_going(folder):
        yield "", "still going: left to itself"
        return
    numbers = session_numbers(folder)
    if not numbers:
        yield "", "nothing to send: Sacred has no record of it"
    for number in numbers:
        yield str(number), _sync_session(folder, number, databases, database)


def _sync_session(folder: RunFolder, number: int, databases: _Databases, database: str | None) -> str:
    from pymongo.errors import ConnectionFailure, PyMongoError

    try:
        session = read_session(folder, number)
        curves = session.curves()
    except (UserError, KeyError, TypeError, ValueError) as error:
        return f"failed: its record is damaged ({error})"
    name = database or session.document["config"].get("mongo_database", DEFAULT_DATABASE)
    try:
        sent = send(databases.get(name), session, curves, compare=True)
    except ConnectionFailure as error:
        raise UserError(databases.explain(error)) from None
    except (PyMongoError, OSError, OverflowError) as error:
        return f"failed: {databases.explain(error)}"
    return f"{_in_words(sent)} ({session.status})"


def _in_words(sent: Sent) -> str:
    if sent.nothing:
        return "complete"
    parts = [(sent.points, "point"), (sent.files, "file"), (sent.fields, "field")]
    told = [f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in parts if count]
    return f"{'new' if sent.is_new else 'sent'}: {', '.join(told) or 'without metrics'}"


def _is_going(folder: RunFolder) -> bool:
    """Whether a process is writing the run's metrics: it holds a lock on them, which dies with it."""
    with open(folder.metrics, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # a file system without locks has no answer
    return False
