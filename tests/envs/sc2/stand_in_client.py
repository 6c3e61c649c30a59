"""Clients of the stand-in: one that speaks the protocol itself, and smac. They run in a process of their own.

s2clientprotocol loads beside a current protobuf only with PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python, which pytest's
own process must not be given.
"""

import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.envs.sc2.stand_in_installation import BUILD_4_10, Knobs, make_installation


class Apart:
    """Calls functions in a process that can load s2clientprotocol."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, context, _prepare)

    def __call__(self, function: Callable, *arguments: Any) -> Any:
        """The function's result, or its exception; both must survive pickling."""
        return self.pool.submit(function, *arguments).result(timeout=60)

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown()


def _prepare() -> None:
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"


class Asking:
    """A client that numbers its requests."""

    asked = 0

    def ask(self, timeout: float | None = None, **request: Any):
        """The response to one request, e.g. ping={}, awaited for at most `timeout` seconds."""
        from s2clientprotocol import sc2api_pb2 as sc_pb

        self.asked += 1
        return self._answer(sc_pb.Request(id=self.asked, **request), timeout)

    def _answer(self, request, timeout: float | None):
        raise NotImplementedError


class Direct(Asking):
    """A game within this process, without a program or a connection."""

    def __init__(self, **knobs: Any) -> None:
        from tests.envs.sc2.stand_in_game import Game

        self.game = Game(Knobs(**knobs))

    def _answer(self, request, timeout: float | None):
        return self.game.answer(request)


class Program(Asking):
    """The stand-in's process, started as pysc2 starts the game, and a connection to it."""

    def __init__(self, folder: Path, path: str = "/sc2api") -> None:
        """Start it and connect.

        Args:
            folder: the installation.
            path: of the address to connect to.

        Raises:
            ConnectionRefusedError: the process died first.
            websockets.exceptions.InvalidStatus: the path is wrong.
        """
        import portpicker

        port = portpicker.pick_unused_port()
        binary = folder / f"Versions/Base{BUILD_4_10}/SC2_x64"
        self.process = subprocess.Popen(
            [
                binary,
                "-listen",
                "127.0.0.1",
                "-port",
                str(port),
                "-dataDir",
                f"{folder}/",
                "-tempDir",
                "/tmp/x/",
            ]
        )
        try:
            self.connection = self._connect(f"ws://127.0.0.1:{port}{path}")
        except BaseException:
            self.end()
            raise

    def _connect(self, address: str):
        from websockets.sync.client import connect

        while True:
            try:
                return connect(address, compression=None)
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def _answer(self, request, timeout: float | None):
        from s2clientprotocol import sc2api_pb2 as sc_pb

        # As pysc2 does it, the bytes go in a text frame.
        self.connection.send(request.SerializeToString(), text=True)
        data = self.connection.recv(timeout)
        assert isinstance(data, bytes)
        return sc_pb.Response.FromString(data)

    def end(self) -> int:
        """Kill the process if need be and return its exit status."""
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()


@contextmanager
def program(folder: Path, **knobs: Any) -> Iterator[Program]:
    """A `Program` of a new installation, killed afterwards."""
    make_installation(folder, **knobs)
    started = Program(folder)
    try:
        yield started
    finally:
        started.connection.close_socket()
        started.end()


@contextmanager
def smac(folder: Path, sc2: dict[str, Any] | None = None, **knobs: Any) -> Iterator[Any]:
    """oxwhirl's StarCraft2Env on 3m in a new installation, closed afterwards.

    Args:
        folder: for the installation, and for the games' temporary folders in folder/tmp.
        sc2: arguments of StarCraft2Env.
        knobs: of the stand-in.
    """
    import tempfile

    (folder / "tmp").mkdir()
    os.environ.update(make_installation(folder, **knobs))
    tempfile.tempdir = str(folder / "tmp")
    from smac.env import StarCraft2Env

    env = StarCraft2Env(**{"map_name": "3m", "seed": 7, **(sc2 or {})})
    try:
        yield env
    finally:
        env.close()
        tempfile.tempdir = None


def stop_all(env) -> tuple[float, bool, dict[str, Any]]:
    """A step of `smac` in which the living stop."""
    return env.step([1 if mask[1] else 0 for mask in env.get_avail_actions()])


def gone(processes: list[int]) -> bool:
    """Whether all these processes end within five seconds."""
    for _ in range(250):
        if not any(Path(f"/proc/{process}").exists() for process in processes):
            return True
        time.sleep(0.02)
    return False
