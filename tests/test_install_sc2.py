"""`install_sc2.sh` against a loopback server with stand-in archives: what it installs, and what it survives."""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from tests.archive_server import ArchiveServer, encrypted_zip, serve, tar_gz

REPOSITORY = Path(__file__).parents[1]
MAPS = {f"{name}.SC2Map": f"the map {name}".encode() for name in ("3m", "8m", "MMM2")}
BASES = {"4.10": "Base75689", "4.6.2": "Base69232"}
ZIPS = {"4.10": "/SC2.4.10.zip", "4.6.2": "/SC2.4.6.2.69232.zip"}
MAPS_FILE = "/smac.tar.gz"
# all that the script may use; a test's PATH holds nothing else
TOOLS = [
    "bash", "cat", "chmod", "cp", "curl", "df", "dirname", "env", "find", "flock", "grep", "gzip", "mkdir", "mv",
    "rm", "sed", "sha256sum", "sleep", "tail", "tar", "tr", "uname", "unzip", "wc",
]  # fmt: skip

missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the game's server build is for Linux"),
    pytest.mark.skipif(bool(missing), reason=f"not on this machine: {' '.join(missing)}"),
]


def game(version: str) -> bytes:
    program = f"StarCraftII/Versions/{BASES[version]}/SC2_x64"
    noise = hashlib.shake_128(version.encode()).digest(20_000)
    return encrypted_zip({
        "StarCraftII/.build.info": version.encode(),
        "StarCraftII/SC2Data/data.000": noise,
        "StarCraftII/Maps/readme": b"Blizzard's",
        program: b"#!/bin/sh\n",
    })  # fmt: skip


@pytest.fixture(scope="module")
def archives():
    return {ZIPS[version]: game(version) for version in BASES} | {MAPS_FILE: smac(MAPS)}


def smac(maps: dict[str, bytes]) -> bytes:
    return tar_gz({f"smac-d6aab33/smac/env/starcraft2/maps/SMAC_Maps/{name}": maps[name] for name in maps})


@pytest.fixture
def server(archives):
    with serve() as server:
        server.files = dict(archives)
        yield server


class Machine:
    """A checkout, a home folder and a target on a machine that reaches nothing but the server."""

    def __init__(self, folder: Path, server: ArchiveServer) -> None:
        self.script = folder / "checkout" / "install_sc2.sh"
        (folder / "checkout" / "requirements").mkdir(parents=True)
        shutil.copy(REPOSITORY / "install_sc2.sh", self.script)
        sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in MAPS.items())
        (folder / "checkout" / "requirements" / "smac_maps.sha256").write_text(sums)
        self.home = folder / "home of mine"
        self.home.mkdir()
        self.target = self.home / "StarCraftII"
        self.tools = folder / "tools"
        self.tools.mkdir()
        for tool in TOOLS:
            (self.tools / tool).symlink_to(shutil.which(tool))
        self.environment = {
            "HOME": str(self.home),
            "PATH": str(self.tools),
            "ACCEPT_BLIZZARD_EULA": "yes",
            "SC2_URL_BASE": server.address,
            "SMAC_MAPS_URL": server.address + MAPS_FILE,
        }

    def start(self, *words: str, **settings) -> subprocess.Popen:
        return subprocess.Popen(
            [self.script, *words], env=self.environment, text=True, start_new_session=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings},
        )  # fmt: skip

    def install(self, *words: str, status: int = 0) -> str:
        """Runs the script and returns what it wrote. Fails unless it ends with `status`."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == status, out + err
        assert status == 0 or err.splitlines(), "it failed without a word"
        assert "iagreetotheeula" not in out + err
        return out + err

    def replace(self, tool: str, script: str | None) -> None:
        """Takes a tool away, or puts a shell script in its place."""
        (self.tools / tool).unlink()
        if script is not None:
            (self.tools / tool).write_text(f"#!/bin/sh\n{script}\n")
            (self.tools / tool).chmod(0o755)

    def holds(self, version: str = "4.10", target: Path | None = None) -> bool:
        """Whether the whole game and all maps are there, and nothing of the work on them."""
        target = target or self.target
        if not (target / "Versions" / BASES[version] / "SC2_x64").exists():
            return False
        assert os.access(target / "Versions" / BASES[version] / "SC2_x64", os.X_OK)
        assert (target / ".build.info").read_text() == version
        assert (target / "SC2Data" / "data.000").stat().st_size == 20_000
        assert (target / "Maps" / "readme").exists()
        assert {file.name: file.read_bytes() for file in (target / "Maps/SMAC_Maps").iterdir()} == MAPS
        assert not (target / ".install").exists()
        return True


@pytest.fixture
def machine(tmp_path, server):
    return Machine(tmp_path, server)


def test_a_first_run_installs_game_and_maps_and_a_second_asks_for_nothing(machine, server):
    machine.install()
    assert machine.holds()
    assert [path for path, _ in server.downloads()] == [ZIPS["4.10"], MAPS_FILE]
    assert [entry.name for entry in machine.home.iterdir()] == ["StarCraftII"], "shell files are the user's"
    server.asked.clear()
    del machine.environment["ACCEPT_BLIZZARD_EULA"]
    assert "nothing to do" in machine.install()
    assert server.asked == []


def test_the_target_may_be_anywhere_and_sc2path_is_named(machine, tmp_path):
    target = tmp_path / "games & such" / "SC 2"
    said = machine.install("--path", str(target))
    assert machine.holds(target=target)
    typed = next(line for line in said.splitlines() if "export SC2PATH=" in line)
    told = subprocess.run(
        ["bash", "-c", f'{typed}; echo "$SC2PATH"'], capture_output=True, text=True, check=True
    )
    assert told.stdout.rstrip("\n") == str(target)
    machine.environment["SC2PATH"] = str(target)
    assert "nothing to do" in machine.install()


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_a_broken_download_goes_on_where_it_broke(machine, server, tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on this machine")
    machine.replace("curl", None)
    (machine.tools / tool).symlink_to(shutil.which(tool))
    server.cut_after = 9000
    machine.install()
    assert machine.holds()
    assert server.downloads()[:2] == [(ZIPS["4.10"], None), (ZIPS["4.10"], "bytes=9000-")]


def test_a_killed_run_is_continued_by_the_next(machine, server):
    server.cut_after, server.stall = 9000, Event()
    process = machine.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = machine.target / ".install" / "SC2.4.10.zip.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    arrived = part.stat().st_size
    assert 0 < arrived <= 9000
    assert not machine.holds()
    machine.install()
    assert machine.holds()
    assert server.downloads()[1] == (ZIPS["4.10"], f"bytes={arrived}-")


def test_a_server_without_ranges_is_asked_from_the_start(machine, server):
    server.cut_after, server.ranges = 9000, False
    machine.install()
    assert machine.holds()


def test_a_moved_archive_is_reported_at_once(machine, server):
    del server.files[ZIPS["4.10"]]
    assert "404" in machine.install(status=1)
    assert len(server.downloads()) == 1


@pytest.mark.parametrize("fault", ["flipped", "truncated", "another"])
def test_a_damaged_archive_installs_nothing_and_is_fetched_afresh(machine, server, archives, fault):
    whole = archives[ZIPS["4.10"]]
    damaged = {
        "flipped": whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:],
        "truncated": whole[:9000],
        "another": b"<html>Please log in to this hotel's network</html>",
    }
    server.files[ZIPS["4.10"]] = damaged[fault]
    assert "SC2.4.10.zip is damaged" in machine.install(status=1)
    assert [entry.name for entry in machine.target.iterdir()] == [".install"]
    server.files[ZIPS["4.10"]] = whole
    machine.install()
    assert machine.holds()


def test_a_wrong_map_is_named_and_no_map_is_installed(machine, server):
    server.files[MAPS_FILE] = smac(MAPS | {"8m.SC2Map": b"another"})
    said = machine.install(status=1)
    assert "8m.SC2Map: FAILED" in said
    assert "3m.SC2Map" not in said
    assert list((machine.target / "Maps").rglob("*.SC2Map")) == []
    server.files[MAPS_FILE] = smac(MAPS)
    server.asked.clear()
    machine.install()
    assert machine.holds()
    assert [path for path, _ in server.downloads()] == [MAPS_FILE], "the game was there already"


def test_a_missing_map_is_named(machine, server):
    server.files[MAPS_FILE] = smac({"3m.SC2Map": MAPS["3m.SC2Map"]})
    assert "MMM2.SC2Map: FAILED" in machine.install(status=1)


def test_maps_alone_need_no_consent_and_may_come_from_a_folder(machine, server, tmp_path):
    del machine.environment["ACCEPT_BLIZZARD_EULA"]
    folder = tmp_path / "my checkout" / "SMAC_Maps"
    folder.mkdir(parents=True)
    for name, content in MAPS.items():
        (folder / name).write_bytes(content)
    machine.environment["SMAC_MAPS_URL"] = str(folder.parent)
    machine.install("--maps-only")
    assert server.asked == []
    assert {file.name for file in (machine.target / "Maps/SMAC_Maps").iterdir()} == set(MAPS)


def test_without_consent_nothing_is_asked_for(machine, server):
    for answer in (None, "no", "YES"):
        machine.environment.pop("ACCEPT_BLIZZARD_EULA", None)
        if answer is not None:
            machine.environment["ACCEPT_BLIZZARD_EULA"] = answer
        said = machine.install(status=2)
        assert "LICENSE.html" in said
        assert "ACCEPT_BLIZZARD_EULA=yes" in said
        assert len(said.splitlines()) <= 24
    assert server.asked == []
    assert list(machine.home.iterdir()) == []


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 2), ("", 2)])
def test_consent_may_be_typed(machine, answer, status):
    del machine.environment["ACCEPT_BLIZZARD_EULA"]
    keyboard, terminal = pty.openpty()
    with machine.start(stdin=terminal, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        os.write(keyboard, f"{answer}\n".encode())
        assert process.wait(timeout=60) == status
    os.close(keyboard)
    os.close(terminal)
    assert machine.holds() == (status == 0)


def test_each_version_has_a_folder_of_its_own(machine, tmp_path):
    machine.install()
    beside = f"{machine.target}-4.6.2"
    said = machine.install("--version=4.6.2", status=1)
    assert "Base75689" in said
    typed = next(line.split(": ", 1)[1] for line in said.splitlines() if "--version 4.6.2 --path" in line)
    subprocess.run(
        ["bash", "-c", typed],
        cwd=machine.script.parent,
        env=machine.environment,
        check=True,
        capture_output=True,
    )
    assert machine.holds("4.10")
    assert machine.holds("4.6.2", target=Path(beside))


def test_an_installation_that_breaks_off_does_not_count_and_is_completed(machine):
    mv = shutil.which("mv")
    machine.replace(
        "mv", f'case "$*" in *.build.info*) echo no space left >&2; exit 1;; esac; exec {mv} "$@"'
    )
    machine.install(status=1)
    assert not (machine.target / "Versions" / BASES["4.10"] / "SC2_x64").exists()
    machine.replace("mv", f'exec {mv} "$@"')
    machine.install()
    assert machine.holds()


@pytest.mark.parametrize("tool", ["unzip", "curl", "sha256sum"])
def test_missing_tools_are_named_with_the_command_that_installs_them(machine, server, tool):
    machine.replace(tool, None)
    said = machine.install(status=1)
    assert f"missing: {tool}" in said
    assert "apt-get install" in said
    assert server.asked == []


def test_a_full_disk_is_noticed_before_the_download(machine, server):
    machine.replace("df", "echo Filesystem; echo /dev/sda1 100 80 20 80% /")
    said = machine.install(status=1)
    assert "MiB free" in said
    assert "--path" in said
    assert server.downloads() == []


def test_two_installations_at_once_do_not_mix(machine, server):
    server.cut_after, server.stall = 9000, Event()
    with machine.start() as first:
        deadline = time.monotonic() + 20
        while server.cut_after is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "another install_sc2.sh is at work" in machine.install(status=1)
        server.stall.set()
        first.communicate(timeout=60)
    assert machine.holds()


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--version", "5.0"], "4.10 and 4.6.2"), (["--verison"], "--help"), (["--path"], "value")],
)
def test_mistyped_commands_are_refused(machine, server, words, expected):
    assert expected in machine.install(*words, status=2)
    assert server.asked == []
    assert list(machine.home.iterdir()) == []


def test_help_tells_all_options(machine):
    said = machine.install("--help")
    for word in (
        "--version",
        "--path",
        "--maps-only",
        "ACCEPT_BLIZZARD_EULA",
        "SC2_URL_BASE",
        "SMAC_MAPS_URL",
    ):
        assert word in said


def test_the_checksums_are_of_the_maps_the_simulator_knows():
    lines = (REPOSITORY / "requirements" / "smac_maps.sha256").read_text().splitlines()
    known = json.loads((REPOSITORY / "src" / "cohort" / "envs" / "sc2_sim" / "maps.json").read_text())["maps"]
    assert len(lines) == 23
    assert {line.split()[1].removesuffix(".SC2Map") for line in lines} == set(known)
    assert all(len(line.split()[0]) == 64 for line in lines)
