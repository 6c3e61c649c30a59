"""Disks, quotas and folders that take no more: what a run leaves and says then."""

import ctypes
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cohort.cli import main
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.finished_runs import finished, one_line, run, typed
from tests.mongod import wait_for

__all__ = ["finished", "run"]  # fixtures


def limited(*words: str, file_size: int) -> subprocess.CompletedProcess:
    """run.py in a process whose files may not grow beyond `file_size` bytes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    return subprocess.run(
        [sys.executable, str(harness.ROOT / "run.py"), *words],
        capture_output=True, text=True, timeout=120, cwd=harness.ROOT, preexec_fn=limit, check=False,
    )  # fmt: skip


def test_a_limit_on_the_size_of_files_ends_a_run_in_one_sentence(run, tmp_path):
    limit = (run / "metrics.jsonl").stat().st_size + 2000
    before = harness.metrics(run)
    ended = limited(f"--resume={run}", "with", "t_max=4000", file_size=limit)
    said = one_line(ended.stdout + ended.stderr)
    assert ended.returncode not in (0, -6, -9)
    assert "Traceback" not in said
    assert "File too large" in said
    assert f"--resume={run}" in said
    assert json.loads((run / "status.json").read_text())["state"] == "FAILED"
    assert main([f"--resume={run}", "with", "t_max=240"]) == 0
    assert harness.metrics(run)[: len(before)] == before
    assert main(typed(tmp_path / "straight", "t_max=160")) == 0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_run_on_a_full_disk_ends_in_one_sentence_and_goes_on_when_there_is_room(small_disk, tmp_path):
    done = harness.run_py(*typed(small_disk, "t_max=100000"))
    said = one_line(done.stdout + done.stderr)
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert "No space left" in said
    assert "Make room" in said
    run = harness.only_run(small_disk)
    assert f"--resume={run}" in said
    moved = Path(shutil.copytree(run, tmp_path / run.name))
    reached = load_checkpoint(moved / "checkpoint.pt")["recorder"]["t_env"]
    assert main([f"--resume={moved}", "with", f"t_max={reached + 80}"]) == 0
    assert main(typed(tmp_path / "straight", f"t_max={reached + 80}")) == 0
    assert harness.metrics(moved) == harness.metrics(harness.only_run(tmp_path / "straight"))


def test_a_run_that_cannot_begin_on_a_full_disk_leaves_nothing(small_disk):
    (small_disk / "filler").touch()
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(b"0" * 2**20)
    done = harness.run_py(*typed(small_disk, "t_max=160"))
    said = one_line(done.stdout + done.stderr)
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert "No space left" in said
    assert [child.name for child in small_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.EDQUOT, "Make room within your quota"), (errno.EROFS, "Make the disk writable")],
)
def test_a_quota_and_a_disk_that_turns_read_only_end_a_run_in_one_sentence(
    code, advice, tmp_path, monkeypatch, capsys
):
    """Nothing is replaced any more once two checkpoints are written, not even the status."""
    opened = []

    def refusing(path, *arguments, **more):
        opened.append(path)
        if len([each for each in opened if ".checkpoint.pt" in str(each)]) > 2:
            raise OSError(code, os.strerror(code), str(path))
        return open(path, *arguments, **more)

    monkeypatch.setattr("cohort.recording.files.open", refusing, raising=False)
    assert main(typed(tmp_path / "harmed", "t_max=400")) == 2
    monkeypatch.undo()
    run = harness.only_run(tmp_path / "harmed")
    said = one_line("".join(capsys.readouterr()))
    assert "Traceback" not in said
    assert f"could not be written: {os.strerror(code)}. {advice}" in said
    assert f"--resume={run}" in said
    assert main([f"--resume={run}"]) == 0
    assert main(typed(tmp_path / "straight", "t_max=400")) == 0
    assert harness.metrics(run) == harness.metrics(harness.only_run(tmp_path / "straight"))


def without_roots_rights() -> None:
    """From the next program on: root's folders without the right to write are closed to root, too."""
    drop_from_bounding_set, override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are taken away as Linux does it")
def test_a_results_folder_that_turns_read_only_ends_a_run_in_one_sentence(tmp_path):
    results = tmp_path / "results"
    going = subprocess.Popen(
        [sys.executable, str(harness.ROOT / "run.py"), *typed(results, "t_max=1000000")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=harness.ROOT, preexec_fn=without_roots_rights,
    )  # fmt: skip
    wait_for(lambda: list(results.glob("*/checkpoint.previous.pt")), seconds=60)
    run = harness.only_run(results)
    run.chmod(0o555)
    said = one_line(going.communicate(timeout=60)[0])
    run.chmod(0o755)
    assert going.returncode == 2, said
    assert "Traceback" not in said
    assert "Make the folder writable" in said
    assert f"--resume={run}" in said
    reached = load_checkpoint(run / "checkpoint.pt")["recorder"]["t_env"]
    assert main([f"--resume={run}", "with", f"t_max={reached + 80}"]) == 0
    assert main(typed(tmp_path / "straight", f"t_max={reached + 80}")) == 0
    assert harness.metrics(run) == harness.metrics(harness.only_run(tmp_path / "straight"))


def test_a_console_log_that_takes_nothing_is_reported_once(tmp_path, monkeypatch):
    from cohort.recording.console import Console

    class Full:
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    import io

    stream = io.StringIO()
    console = Console(stream)
    console.print("one")
    console.print("two")
    monkeypatch.setattr("builtins.open", lambda *arguments, **more: Full())
    console.open_log(tmp_path / "console.log")
    console.print("three")
    assert stream.getvalue().splitlines()[:2] == ["one", "two"]
    assert stream.getvalue().count("is lost") == 1
    assert stream.getvalue().splitlines()[-1] == "three"
