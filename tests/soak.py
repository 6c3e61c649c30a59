"""Runs that are killed, stopped, starved of disk and left to rot, again and again, and compared with runs left alone.

python -m tests.soak --minutes 60
"""

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import harness

T_MAX = {"matrix_games": 1600, "sc2_sim": 1200}
OFTEN = "test_interval=200 log_interval=50 checkpoint_interval=100"


@dataclass
class Tally:
    """What was done, and what was lost."""

    faults: Counter = field(default_factory=Counter)
    sessions: int = 0
    compared: int = 0
    losses: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        lost = "".join(f"\nlost: {loss}" for loss in self.losses)
        return (
            f"{sum(self.faults.values())} faults ({faults or 'none'}) in {self.sessions} sessions; "
            f"{self.compared} runs compared bit for bit, {len(self.losses)} losses{lost}"
        )


class Soak:
    """One run after another, each until it is completed in spite of everything."""

    def __init__(self, place: Path, seed: int, sessions: int = 25) -> None:
        """Work in `place`; a run gets `sessions` at the most, the last two of which are left alone."""
        self.sessions = sessions
        self.place, self.draw, self.tally = place, random.Random(seed), Tally()
        self._left_alone: dict[tuple[str, str], list] = {}
        self._number = 0

    def go_on(self, seconds: float) -> Tally:
        until = time.monotonic() + seconds
        pairs = [pair for pair in harness.PAIRS if pair[1] in T_MAX]
        while time.monotonic() < until:
            self.one(*self.draw.choice(pairs))
        return self.tally

    def one(self, algorithm: str, env: str) -> None:
        """A run with faults, beside the same one without."""
        expected = self._expected(algorithm, env)
        with self._results() as results:
            words, said = self._words(algorithm, env, results), ""
            for session in range(self.sessions):
                runs = list(results.glob("*/status.json"))
                run = runs[0].parent if runs else None
                if run and _state(run) == "COMPLETED":
                    break
                go_on = run is not None and (run / "checkpoint.pt").is_file()
                if run and not go_on:
                    shutil.rmtree(run)
                fault = self.draw.choice(self.faults(go_on)) if session < self.sessions - 2 else self.nothing
                said = fault([f"--resume={run}"] if go_on else words, run)
                self.tally.sessions += 1
                if "Traceback" in said:
                    self.tally.losses.append(f"{algorithm} {env}: a traceback\n{said[-1500:]}")
            self.tally.compared += 1
            found = harness.metrics(run) if run and _state(run) == "COMPLETED" else None
            if found != expected:
                self.tally.losses.append(
                    f"{algorithm} {env}: {'not completed' if found is None else 'other metrics'}\n{said[-800:]}"
                )

    def faults(self, has_checkpoint: bool) -> list[Callable[[list[str], Path | None], str]]:
        some = [self.kill, self.terminate, self.interrupt, self.file_limit]
        return [*some, self.rot, self.second] if has_checkpoint else some

    def nothing(self, words: list[str], run: Path | None) -> str:
        return self._end(self._start(words))

    def kill(self, words: list[str], run: Path | None) -> str:
        return self._stop(words, "kill")

    def terminate(self, words: list[str], run: Path | None) -> str:
        return self._stop(words, "terminate")

    def interrupt(self, words: list[str], run: Path | None) -> str:
        return self._stop(words, "interrupt")

    def file_limit(self, words: list[str], run: Path | None) -> str:
        """Files may grow a little, or hardly at all."""
        largest = (
            max((path.stat().st_size for path in run.rglob("*") if path.is_file()), default=0) if run else 0
        )
        limit = max(2000, int(largest * self.draw.uniform(0.5, 1.5)))
        self.tally.faults["file limits"] += 1
        return self._end(
            self._start(words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        )

    def rot(self, words: list[str], run: Path | None) -> str:
        """A bit flips in the checkpoint, and its user does what the program says."""
        self.tally.faults["flipped bits"] += 1
        checkpoint = run / "checkpoint.pt"
        with zipfile.ZipFile(checkpoint) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
        content = bytearray(checkpoint.read_bytes())
        content[largest.header_offset + 200 + self.draw.randrange(largest.file_size)] ^= (
            1 << self.draw.randrange(8)
        )
        checkpoint.write_bytes(content)
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        said = " ".join(self._end(self._start(words)).split())
        if "damaged" not in said or before != {
            path: path.read_bytes() for path in run.rglob("*") if path.is_file()
        }:
            self.tally.losses.append(f"a flipped bit was not refused cleanly\n{said[-800:]}")
        if "again: cp " in said:
            subprocess.run(["cp", *said.partition("again: cp ")[2].split()[:2]], check=True)
        else:
            checkpoint.unlink()  # there was no other: the run begins anew
        return said

    def second(self, words: list[str], run: Path | None) -> str:
        """Two go on at once."""
        self.tally.faults["second resumes"] += 1
        first, other = self._start(words), self._start(words)
        said = [self._end(first), self._end(other)]
        refused = [text for text in said if "still going" in " ".join(text.split()) or "is finished" in text]
        if not refused:
            self.tally.losses.append(f"two sessions went on at once\n{said[0][-400:]}\n{said[1][-400:]}")
        return "\n".join(said)

    def _stop(self, words: list[str], how: str) -> str:
        self.tally.faults[{"kill": "kills", "terminate": "SIGTERM", "interrupt": "SIGINT"}[how]] += 1
        process = self._start(words)
        time.sleep(self.draw.uniform(1.0, 6.0))
        if process.poll() is None:
            {
                "kill": process.kill,
                "terminate": process.terminate,
                "interrupt": lambda: process.send_signal(2),
            }[how]()
        return self._end(process)

    def _start(self, words: list[str], **more: object) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(harness.ROOT / "run.py"), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=harness.ROOT, **more,
        )  # fmt: skip

    def _end(self, process: subprocess.Popen) -> str:
        try:
            return process.communicate(timeout=300)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            self.tally.losses.append("a session hung for 300 s")
            return process.communicate()[0]

    def _expected(self, algorithm: str, env: str) -> list:
        if (algorithm, env) not in self._left_alone:
            with self._results() as results:
                self._end(self._start(self._words(algorithm, env, results)))
                self._left_alone[algorithm, env] = harness.metrics(harness.only_run(results))
        return self._left_alone[algorithm, env]

    @contextmanager
    def _results(self) -> Iterator[Path]:
        self._number += 1
        results = self.place / f"results{self._number}"
        results.mkdir()
        yield results
        shutil.rmtree(results)

    @staticmethod
    def _words(algorithm: str, env: str, results: Path) -> list[str]:
        return harness.words(algorithm, env, f"{OFTEN} t_max={T_MAX[env]} local_results_path={results}")


def _state(run: Path) -> str:
    try:
        return json.loads((run / "status.json").read_text())["state"]
    except (OSError, ValueError):
        return "?"


def main() -> int:
    """Soak for as long as was asked; the exit status is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tally = Soak(Path(place), chosen.seed).go_on(60 * chosen.minutes)
    print(tally)
    return 1 if tally.losses else 0


if __name__ == "__main__":
    sys.exit(main())
