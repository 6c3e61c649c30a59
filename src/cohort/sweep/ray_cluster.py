"""Runs of a sweep on the machines of a Ray cluster, which share a file system."""

import os
import signal
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cohort.errors import UserError, missing_package
from cohort.program import PACKAGE
from cohort.sweep.folder import SweepFolder, SweepRun
from cohort.sweep.processes import Ending, thread_variables
from cohort.sweep.task import Task, as_arguments

REQUIREMENTS = "requirements/ray.txt"
CONNECT_SECONDS = 5.0
PROBE_SECONDS = 60.0  # for every machine to look at the shared file system
LAST_SECONDS = 60.0  # for the runs to save and end when the sweep is left in a hurry


class RayPool:
    """One Ray task for each run. It starts the same child process that a sweep on one machine starts.

    A run asks for as many CPUs as it has threads, and for a GPU where it wants one and the cluster has any. Nothing
    but exit statuses travels through Ray: run folders are written to the shared file system, and the file
    `stop` there tells the tasks to end their runs.
    """

    def __init__(
        self,
        address: str,
        jobs: int | None,
        folder: SweepFolder,
        directory: Path,
        environment: dict[str, str],
    ) -> None:
        """Connect, and look whether every machine sees the sweep's folder and this program.

        Raises:
            UserError: Ray is missing, there is no cluster, or a machine does not share the file system.
        """
        self._ray = _import_ray()
        self._jobs, self._folder, self._directory, self._environment = jobs, folder, directory, environment
        _connect(self._ray, address)
        try:
            _refuse_strangers(self._ray, folder)
        except BaseException:
            self._ray.shutdown()
            raise
        self._remote = self._ray.remote(max_retries=0)(_runner())
        self._tasks: dict[Any, int] = {}
        self._wanted: dict[int, int] = {}  # CPUs of each run that is going

    def has_room(self, run: SweepRun) -> bool:
        if self._jobs is not None and len(self._tasks) >= self._jobs:
            return False
        cpus = self._ray.cluster_resources().get("CPU", 0)
        return not self._tasks or sum(self._wanted.values()) + run.threads <= cpus

    def start(self, number: int, run: SweepRun, task: Task) -> dict[str, object]:
        environment = self._environment | thread_variables(run.threads)
        gpus = 1 if run.cuda and self._ray.cluster_resources().get("GPU", 0) else 0
        remote = self._remote.options(num_cpus=run.threads, num_gpus=gpus, name=f"run {number + 1}")
        reference = remote.remote(
            as_arguments(task),
            task.output,
            str(self._directory),
            environment,
            str(self._folder.stop.absolute()),
        )
        self._tasks[reference], self._wanted[number] = number, run.threads
        return {}

    def ended(self) -> list[Ending]:
        if not self._tasks:
            return []
        done, _ = self._ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0)
        return [self._ending(reference) for reference in done]

    def _ending(self, reference: Any) -> Ending:
        number = self._tasks.pop(reference)
        del self._wanted[number]
        try:
            code, host = self._ray.get(reference)
            return Ending(number, code, "" if code >= 0 else f"killed by signal {-code} on {host}")
        except self._ray.exceptions.RayTaskError as error:  # the process could not be started there
            return Ending(number, 1, str(error.cause))
        except self._ray.exceptions.RayError as error:  # its machine or worker is gone
            return Ending(number, None, f"its machine was lost ({type(error).__name__})")

    def stop(self, number: signal.Signals) -> None:
        """Every run is to save and end; there is no hurrying those on other machines."""
        self._folder.stop.touch()

    def close(self) -> None:
        if self._tasks:
            self._folder.stop.touch()
            self._ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=LAST_SECONDS)
            self._tasks.clear()
        self._ray.shutdown()
        self._folder.stop.unlink(missing_ok=True)


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise missing_package("--cluster", error, REQUIREMENTS) from error
    return ray


def _connect(ray: Any, address: str) -> None:
    try:
        _refuse_silent(address)  # Ray itself would try for minutes
        ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=False)
    except Exception as error:  # Ray raises ConnectionError, ValueError, RuntimeError and gRPC's own
        raise UserError(
            f"--cluster={address}: no Ray cluster answers: {str(error).strip().splitlines()[0][:200]}\n"
            "Start one: ray start --head on one machine, ray start --address=<head>:6379 on each other; "
            "then --cluster=auto there, or --cluster=ray://<head>:10001 from elsewhere."
        ) from error


def _refuse_silent(address: str) -> None:
    """Raises `OSError` when nobody listens at an address that has a port."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _refuse_strangers(ray: Any, folder: SweepFolder) -> None:
    """Have a task on every machine look for a file that was written here, and for this program."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    probe = folder.root.absolute() / f".probe-{uuid.uuid4().hex}"
    probe.write_text(probe.name)
    look = ray.remote(max_retries=0, num_cpus=0)(_looker())
    nodes = [node for node in ray.nodes() if node["Alive"]]
    try:
        answers = [
            look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(str(probe), str(PACKAGE / "sweep_child.py"))
            for node in nodes
        ]
        for node, (sees_results, sees_program) in zip(
            nodes, ray.get(answers, timeout=PROBE_SECONDS), strict=True
        ):
            if not sees_results:
                raise UserError(
                    f"machine {node['NodeManagerHostname']} of the cluster does not see {folder.root.absolute()}. "
                    "Results must lie on a file system that all machines share: local_results_path=<folder>."
                )
            if not sees_program:
                raise UserError(
                    f"machine {node['NodeManagerHostname']} of the cluster has no {PACKAGE}: this program must "
                    "lie in the same place on every machine."
                )
    except ray.exceptions.RayError as error:
        raise UserError(
            f"a machine of the cluster does not answer: {str(error).splitlines()[0][:200]}"
        ) from error
    finally:
        probe.unlink(missing_ok=True)


def _looker() -> Callable[[str, str], tuple[bool, bool]]:
    """A function that Ray sends as it is: the machines need not be able to import this module."""

    def look(probe: str, program: str) -> tuple[bool, bool]:
        try:
            with open(probe) as file:
                seen = file.read() == os.path.basename(probe)
        except OSError:
            seen = False
        return seen, os.path.isfile(program)

    return look


def _runner() -> Callable[..., tuple[int, str]]:
    """As `_looker`: starts a run's process and waits for it; its exit status, and where it was."""

    def run(
        arguments: list[str], output: str, directory: str, environment: dict[str, str], stop: str
    ) -> tuple[int, str]:
        import platform
        import subprocess
        import sys
        import time

        with open(output, "ab") as file:
            child = subprocess.Popen(
                [sys.executable, *arguments, str(os.getpid())], cwd=directory, env=os.environ | environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        told = False
        while child.poll() is None:
            if not told and os.path.exists(stop):
                told = True
                child.terminate()
            time.sleep(0.2)
        return child.returncode, platform.node()

    return run
