"""One run after another, each harmed until it is completed in spite of everything."""

import json
import random
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cohort.recording.metrics import read_metrics
from cohort.recording.mongo.target import DEFAULT_DATABASE, VARIABLE
from tests import harness
from tests.mongod import Mongod
from tests.soak.disk import Disk
from tests.soak.faults import Faults, Victim
from tests.soak.sessions import Hung, end, start
from tests.soak.subjects import Subject, subjects
from tests.soak.tally import Tally

WITH_DATABASE = 0.4  # share of the runs


class Soak:
    """Takes runs by lot, harms them, and compares what they leave with the same runs left alone."""

    def __init__(self, place: Path, seed: int, *, sessions: int = 25, server: Mongod | None = None) -> None:
        """Work in `place`; a run gets `sessions` at the most, the last two of which are left alone."""
        self.place, self.sessions, self.server = place, sessions, server
        self.draw, self.tally = random.Random(seed), Tally()
        self.faults = Faults(self.draw, self.tally, server)
        self.subjects = subjects(place)
        self._left_alone: dict[Subject, list] = {}
        self._number = 0

    def go_on(self, seconds: float) -> Tally:
        """Every subject comes once before any comes twice."""
        until, waiting = time.monotonic() + seconds, []
        while time.monotonic() < until:
            waiting = waiting or self.draw.sample(self.subjects, len(self.subjects))
            subject = waiting.pop()
            try:
                self.one(subject)
            except Hung as hung:
                self.tally.losses.append(f"{subject}: left alone, a session hung\n{str(hung)[-1500:]}")
            print(self.tally, file=sys.stderr)
        return self.tally

    def one(self, subject: Subject) -> None:
        """A run with faults, beside the same one without."""
        expected = self._expected(subject)
        with self._disk() as disk:
            victim = self._victim(subject, disk)
            said = self._harm(subject, victim)
            self.tally.families[subject.algorithm] += 1
            self._compare(subject, victim, expected, said)
            if victim.database:
                self._compare_database(subject, victim)

    def _victim(self, subject: Subject, disk: Disk) -> Victim:
        victim = Victim(subject.words(disk.place / "results"), None, disk)
        victim.has_workers = subject.has_workers
        if self.server and self.draw.random() < WITH_DATABASE:
            self.server.start()
            victim.database, victim.variables = True, {VARIABLE: self.server.url()}
        return victim

    def _harm(self, subject: Subject, victim: Victim) -> str:
        """Sessions until it is completed; what the last one said."""
        begin, said = victim.words, ""
        for session in range(self.sessions):
            victim.run = self._run(victim)
            if victim.run and _state(victim.run) == "COMPLETED":
                break
            if victim.run and not (victim.run / "checkpoint.pt").is_file():
                shutil.rmtree(victim.run)
                victim.run = None
            victim.words = [f"--resume={victim.run}"] if victim.run else begin
            harmful = session < self.sessions - 2
            fault = self.draw.choice(self.faults.possible(victim)) if harmful else self.faults.nothing
            try:
                said = fault(victim)
            except Hung as hung:
                self.tally.losses.append(f"{subject}: {fault.__name__}: a session hung\n{str(hung)[-1500:]}")
            self.tally.sessions += 1
            if "Traceback" in said:
                self.tally.losses.append(f"{subject}: {fault.__name__}: a traceback\n{said[-1500:]}")
        victim.run = self._run(victim)
        return said

    def _run(self, victim: Victim) -> Path | None:
        statuses = list((victim.disk.place / "results").glob("*/status.json"))
        return statuses[0].parent if statuses else None

    def _compare(self, subject: Subject, victim: Victim, expected: list, said: str) -> None:
        run = victim.run
        if not run or _state(run) != "COMPLETED":
            self.tally.losses.append(f"{subject}: not completed\n{said[-800:]}")
            return
        found = harness.metrics(run)
        if victim.differs:
            times = [line["t_env"] for line in found]
            if times != sorted(times):
                self.tally.losses.append(f"{subject}: times run backwards: {times}")
            return
        self.tally.compared += 1
        if found != expected:
            self.tally.losses.append(f"{subject}: other metrics\n{said[-800:]}")

    def _compare_database(self, subject: Subject, victim: Victim) -> None:
        """What `run.py sync` has not sent by now is lost."""
        self.server.start()
        said = end(start(["sync", str(victim.run)], variables=victim.variables))
        with self.server.client() as client:
            stored = _stored(client[DEFAULT_DATABASE], victim.run.name)
        self.tally.databases += 1
        if stored != _recorded(victim.run):
            self.tally.losses.append(f"{subject}: the database has other points\n{said[-800:]}")

    def _expected(self, subject: Subject) -> list:
        if subject not in self._left_alone:
            with self._disk() as disk:
                results = disk.place / "results"
                end(start(subject.words(results)))
                self._left_alone[subject] = harness.metrics(harness.only_run(results))
        return self._left_alone[subject]

    @contextmanager
    def _disk(self) -> Iterator[Disk]:
        self._number += 1
        disk = Disk(self.place / f"disk{self._number}")
        try:
            yield disk
        finally:
            disk.remove()


Points = dict[str, dict[int, str]]  # name: step: the value as text, NaN being NaN


def _stored(database: Any, run: str) -> Points:
    """All points of a run's sessions; what a session was to repeat, it repeated with equal values."""
    points: Points = defaultdict(dict)
    for session in database.runs.find({"meta.run_folder": run}).sort("meta.session", 1):
        for metric in database.metrics.find({"run_id": session["_id"]}):
            points[metric["name"]] |= dict(zip(metric["steps"], map(repr, metric["values"]), strict=True))
    return dict(points)


def _recorded(run: Path) -> Points:
    points: Points = defaultdict(dict)
    for record in read_metrics(run / "metrics.jsonl"):
        for name, value in record.metrics.items():
            points[name][record.t_env] = repr(float(value))
    return dict(points)


def _state(run: Path) -> str:
    try:
        return json.loads((run / "status.json").read_text())["state"]
    except (OSError, ValueError):
        return "?"
