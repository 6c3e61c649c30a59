"""Runs of a sweep as processes of this machine."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cohort.sweep.folder import SweepRun
from cohort.sweep.task import BUSY, Task, as_arguments, start_child

_ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)
KILL_GRACE_SECONDS = 10.0  # seconds from the second signal to the last


@dataclass(frozen=True)
class Ending:
    """How the process of one run ended.

    Attributes:
        number: the run's.
        code: its exit status, negative for a signal; None when the machine that it was on was lost.
        reason: what is known of it when the code says nothing.
    """

    number: int
    code: int | None
    reason: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether somebody ended it, so that it can go on; otherwise a status other than 0 is its own failure."""
        return self.code is None or self.code in (130, 143, BUSY) or -self.code in _ASKED_TO_END

    def describe(self) -> str:
        if self.code is None or self.reason:
            return self.reason
        if self.code < 0:
            return f"killed by signal {-self.code} ({signal.strsignal(-self.code)})"
        return f"ended with status {self.code}"


class Pool(Protocol):
    """Where runs are carried out."""

    def has_room(self, run: SweepRun) -> bool:
        """Whether `run` could begin now."""

    def start(self, number: int, run: SweepRun, task: Task) -> dict[str, object]:
        """Begin; what the journal should say of it, as its process's number."""

    def ended(self) -> list[Ending]:
        """The runs that have ended since the last call."""

    def stop(self, number: signal.Signals) -> None:
        """Pass on a signal: every run is to save and end; a second time: at once."""

    def close(self) -> None:
        """End what is left, at once."""


class ProcessPool:
    """At most `jobs` processes at a time, each with as many threads as its run was told; nothing is pinned."""

    def __init__(self, jobs: int, directory: Path, environment: dict[str, str], gpus: Sequence[str]) -> None:
        """`gpus`: what CUDA_VISIBLE_DEVICES may name; where there are several, runs take turns with them."""
        self._jobs, self._directory, self._environment, self._gpus = jobs, directory, environment, gpus
        self._children: dict[int, subprocess.Popen] = {}
        self._slots: dict[int, int] = {}
        self._told = False

    def has_room(self, run: SweepRun) -> bool:
        return len(self._children) < self._jobs

    def start(self, number: int, run: SweepRun, task: Task) -> dict[str, object]:
        slot = min(set(range(self._jobs)) - set(self._slots.values()))
        environment = self._environment | thread_variables(run.threads)
        if run.cuda and len(self._gpus) > 1:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        child = start_child(as_arguments(task), task.output, str(self._directory), environment)
        self._children[number], self._slots[number] = child, slot
        return {"pid": child.pid}

    def ended(self) -> list[Ending]:
        codes = {number: child.poll() for number, child in self._children.items()}
        endings = [Ending(number, code) for number, code in codes.items() if code is not None]
        for ending in endings:
            del self._children[ending.number], self._slots[ending.number]
        return endings

    def stop(self, number: signal.Signals) -> None:
        self._told = True
        for child in self._children.values():
            child.send_signal(number)

    def close(self) -> None:
        if not self._told:  # the sweep fails itself
            self.stop(signal.SIGTERM)
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(KILL_GRACE_SECONDS)
            child.kill()
            child.wait()


def thread_variables(threads: int) -> dict[str, str]:
    """What keeps numerical libraries from starting a thread for every core in each of many processes."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {"PYTHONIOENCODING": "utf-8:backslashreplace"} | dict.fromkeys(names, str(threads))


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The words by which CUDA_VISIBLE_DEVICES can name each GPU that this process sees."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [word.strip() for word in named.split(",") if word.strip()]
    return [str(index) for index in range(torch.cuda.device_count())]
