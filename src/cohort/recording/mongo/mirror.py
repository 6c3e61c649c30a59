"""A run's record in MongoDB while the run goes on, sent by a thread: the run never waits for the database."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cohort.errors import UserError
from cohort.program import program_name
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import Record
from cohort.recording.mirrors import Mirror
from cohort.recording.mongo.session import Curves, read_session, session_numbers
from cohort.recording.mongo.store import make_indexes, send
from cohort.recording.mongo.target import MongoTarget

BEAT_SECONDS = 10.0
LONGEST_PAUSE = 60.0  # between two attempts to reach a lost server
ANSWER_SECONDS = 5.0
GOODBYE_SECONDS = 2.0  # what a lost server may cost the run at its end
FINISH_SECONDS = 30.0  # what a server that answers may take for the last points and files
_LOOK_SECONDS = 0.1  # how often the thread looks whether Sacred's files of this session are there


@contextmanager
def mirrored_to_mongo(
    target: MongoTarget | None, folder: RunFolder, report: Callable[[str], None], beat: float = BEAT_SECONDS
) -> Iterator[list[Mirror]]:
    """Send the session that is recorded inside to `target`: the mirrors to give to its recorder, none or one.

    Nothing here waits for the server but the end, and that for `GOODBYE_SECONDS` at most when it is lost. What
    goes wrong is reported once, and once more when it is over.
    """
    if target is None:
        yield []
        return
    mirror = MongoMirror(target, folder, report, beat)
    mirror.start()
    try:
        yield [mirror]
    finally:
        mirror.finish()


class MongoMirror:
    """Collects what is logged; its thread repeats `send` with Sacred's files of this session every few seconds."""

    name = "MongoDB"

    def __init__(
        self, target: MongoTarget, folder: RunFolder, report: Callable[[str], None], beat: float
    ) -> None:
        """A mirror of the session that is about to start in `folder`."""
        self._target, self._folder, self._report, self._beat = target, folder, report, beat
        self._session = max(session_numbers(folder), default=0) + 1
        self._new: queue.SimpleQueue[Record] = queue.SimpleQueue()
        self._curves: Curves | None = None
        self._database: Any = None
        self._failures = 0
        self._lost = False
        self._ending = threading.Event()
        self._reporting = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="mongo-mirror", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def begin(self, earlier: Sequence[Record]) -> None:
        """Take what earlier sessions logged: this one's curves begin with it."""
        for record in earlier:
            self._new.put(record)

    def log(self, record: Record) -> None:
        """Take one line of metrics."""
        self._new.put(record)

    def close(self) -> None:
        """Do nothing: the record ends after its metrics, in `finish`."""

    def finish(self) -> None:
        """Send the rest, and wait for it as long as that is worth it."""
        self._ending.set()
        self._thread.join(GOODBYE_SECONDS)
        if self._thread.is_alive() and not self._lost:
            self._thread.join(FINISH_SECONDS - GOODBYE_SECONDS)
        if self._thread.is_alive():
            self._lose(f"MongoDB at {self._target.place} does not answer in time.")
        with self._reporting:
            self._report = lambda line: None  # the thread may live a little longer, the console may not

    def _work(self) -> None:
        while not (self._folder.sacred / str(self._session) / "run.json").is_file():
            if self._ending.wait(_LOOK_SECONDS):
                break
        last = False
        while not last:
            last = self._ending.is_set()
            if not self._attempt() and self._ending.is_set():
                break  # the run is over, and is not kept waiting for a second refusal
            self._ending.wait(self._pause())
        if self._database is not None:
            self._database.client.close()

    def _pause(self) -> float:
        return self._beat if self._failures == 0 else min(LONGEST_PAUSE, self._beat * 2**self._failures)

    def _attempt(self) -> bool:
        """Whether everything that was logged is there now; whatever happens harms nobody."""
        try:
            self._send()
        except Exception as error:
            self._failures += 1
            self._lose(str(error) if isinstance(error, UserError) else self._target.explain(error))
            return False
        self._failures = 0
        if self._lost:
            self._tell(f"MongoDB at {self._target.place} is back and misses nothing.")
        self._lost = False
        return True

    def _send(self) -> None:
        if self._database is None:
            self._database = self._target.connect(socket_seconds=ANSWER_SECONDS)
            make_indexes(self._database)
        session = read_session(self._folder, self._session, live=True)
        self._curves = self._curves or session.new_curves()
        while not self._new.empty():  # this thread alone takes from it
            self._curves.add([self._new.get()])
        send(self._database, session, self._curves, compare=False)

    def _lose(self, what: str) -> None:
        """Say what is wrong, once until it is mended."""
        if not self._lost:
            remedy = f"{program_name()} sync {self._folder.root} --mongo=<url>"
            self._tell(f"{what} The run goes on; send its record later with: {remedy}")
        self._lost = True

    def _tell(self, line: str) -> None:
        with self._reporting:
            self._report(line)
