"""What is done to one session of a run."""

import random
import resource
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.mongod import Mongod
from tests.soak.disk import Disk
from tests.soak.sessions import end, start
from tests.soak.tally import Tally


@dataclass
class Victim:
    """A run between two sessions."""

    words: list[str]  # of the next session
    run: Path | None  # its folder, once there is one
    disk: Disk
    variables: dict[str, str] = field(default_factory=dict)
    has_workers: bool = False
    database: bool = False
    differs: bool = False  # whether episodes were lost at moments that no other run repeats


Fault = Callable[[Victim], str]  # gives what the session said


class Faults:
    """All faults; each begins a session, does its harm and waits for the session's end."""

    def __init__(self, draw: random.Random, tally: Tally, server: Mongod | None) -> None:
        self.draw, self.tally, self.server = draw, tally, server

    def possible(self, victim: Victim) -> list[Fault]:
        some = [self.kill, self.terminate, self.interrupt, self.file_limit, self.jumping_clock]
        if victim.disk.can_be_filled:
            some.append(self.full_disk)
        if victim.run is not None:
            some += [self.rot, self.second]
        if victim.database:
            some += [self.frozen_database, self.killed_database]
        if victim.has_workers:
            some += [self.killed_worker, self.frozen_worker]
        return some

    def nothing(self, victim: Victim) -> str:
        return end(self._start(victim))

    def kill(self, victim: Victim) -> str:
        return self._stop(victim, "SIGKILL")

    def terminate(self, victim: Victim) -> str:
        return self._stop(victim, "SIGTERM")

    def interrupt(self, victim: Victim) -> str:
        return self._stop(victim, "SIGINT")

    def jumping_clock(self, victim: Victim) -> str:
        self.tally.faults["jumping clocks"] += 1
        return end(self._start(victim, clock_seed=self.draw.randrange(10**6)))

    def file_limit(self, victim: Victim) -> str:
        """Files may grow a little, or hardly at all."""
        self.tally.faults["file limits"] += 1
        files = [path for path in victim.run.rglob("*") if path.is_file()] if victim.run else []
        largest = max((path.stat().st_size for path in files), default=0)
        limit = max(2000, int(largest * self.draw.uniform(0.5, 1.5)))
        return end(
            self._start(victim, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        )

    def full_disk(self, victim: Victim) -> str:
        self.tally.faults["full disks"] += 1
        process = self._start(victim)
        time.sleep(self.draw.uniform(0.0, 4.0))
        victim.disk.fill(self.draw.randrange(200_000))
        try:
            return end(process)
        finally:
            victim.disk.make_room()

    def frozen_database(self, victim: Victim) -> str:
        self.tally.faults["frozen databases"] += 1
        process = self._start(victim)
        time.sleep(self.draw.uniform(0.5, 3.0))
        with self.server.frozen():
            time.sleep(self.draw.uniform(1.0, 6.0))
        return end(process)

    def killed_database(self, victim: Victim) -> str:
        self.tally.faults["killed databases"] += 1
        process = self._start(victim)
        time.sleep(self.draw.uniform(0.5, 3.0))
        self.server.kill()
        time.sleep(self.draw.uniform(0.0, 4.0))
        said = end(process) if self.draw.random() < 0.5 else None  # back only when the session is over
        self.server.start()
        return end(process) if said is None else said

    def killed_worker(self, victim: Victim) -> str:
        return self._harm_worker(victim, "killed workers", signal.SIGKILL)

    def frozen_worker(self, victim: Victim) -> str:
        return self._harm_worker(victim, "frozen workers", signal.SIGSTOP)

    def rot(self, victim: Victim) -> str:
        """A bit flips in the checkpoint, and its user does what the program says."""
        self.tally.faults["flipped bits"] += 1
        checkpoint = victim.run / "checkpoint.pt"
        with zipfile.ZipFile(checkpoint) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
        content = bytearray(checkpoint.read_bytes())
        content[largest.header_offset + 200 + self.draw.randrange(largest.file_size)] ^= (
            1 << self.draw.randrange(8)
        )
        checkpoint.write_bytes(content)
        before = _content(victim.run)
        said = " ".join(end(self._start(victim)).split())
        if "damaged" not in said or before != _content(victim.run):
            self.tally.losses.append(f"a flipped bit was not refused cleanly\n{said[-800:]}")
        if "again: cp " in said:
            subprocess.run(["cp", *said.partition("again: cp ")[2].split()[:2]], check=True)
        else:
            checkpoint.unlink()  # there was no other: the run begins anew
        return said

    def second(self, victim: Victim) -> str:
        """Two go on at once."""
        self.tally.faults["second resumes"] += 1
        both = [self._start(victim), self._start(victim)]
        said = [end(process) for process in both]
        if not any("still going" in " ".join(text.split()) or "is finished" in text for text in said):
            self.tally.losses.append(f"two sessions went on at once\n{said[0][-400:]}\n{said[1][-400:]}")
        return "\n".join(said)

    def _stop(self, victim: Victim, how: str) -> str:
        self.tally.faults[how] += 1
        process = self._start(victim)
        time.sleep(self.draw.uniform(1.0, 6.0))
        with suppress(ProcessLookupError):
            process.send_signal(signal.Signals[how])
        return end(process)

    def _harm_worker(self, victim: Victim, name: str, how: signal.Signals) -> str:
        """Harm one of its games at some moment: that episode is lost, and no other run will lose the same."""
        self.tally.faults[name] += 1
        victim.differs = True
        process = self._start(victim)
        time.sleep(self.draw.uniform(2.0, 5.0))
        with suppress(psutil.NoSuchProcess):
            workers = psutil.Process(process.pid).children(recursive=True)
            if workers:
                self.draw.choice(workers).send_signal(how)
        return end(process)

    def _start(self, victim: Victim, **more: object) -> subprocess.Popen:
        return start(victim.words, variables=victim.variables, **more)


def _content(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
