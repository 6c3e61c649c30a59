"""Where a run comes from, with and without git."""

import json
import subprocess
from pathlib import Path

import pytest

from cohort.recording.folder import RunFolder
from cohort.recording.provenance import (
    collect_provenance,
    git_state,
    source_hash,
    typed_command,
    write_provenance,
)


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "cohort").mkdir(parents=True)
    (root / "cohort" / "a.py").write_text("x = 1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_git_state_tells_clean_from_changed(checkout: Path) -> None:
    clean = git_state(checkout)
    assert clean == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False, "diff_hash": None}
    (checkout / "cohort" / "a.py").write_text("x = 2\n")
    changed = git_state(checkout)
    assert changed is not None
    assert changed["dirty"]
    assert len(changed["diff_hash"]) == 12
    (checkout / "cohort" / "a.py").write_text("x = 3\n")
    other = git_state(checkout)
    assert other is not None
    assert other["diff_hash"] != changed["diff_hash"]


def test_sources_that_merely_lie_in_a_repository_are_not_its_commit(checkout: Path) -> None:
    copy = checkout / "unpacked"
    (copy / "cohort").mkdir(parents=True)
    assert git_state(copy) is None


def test_without_git_nothing_fails(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path / "nowhere") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    provenance = collect_provenance("python run.py", checkout)
    assert provenance["git"] is None
    assert provenance["source_hash"] == source_hash(checkout / "cohort")
    assert provenance["packages"]["torch"].startswith("2.")
    assert provenance["cpu_count"] >= 1


def test_source_hash_sees_names_and_contents(checkout: Path) -> None:
    sources = checkout / "cohort"
    hashes = {source_hash(sources)}
    (sources / "a.py").rename(sources / "b.py")
    hashes.add(source_hash(sources))
    (sources / "b.py").write_text("x = 4\n")
    hashes.add(source_hash(sources))
    (sources / "c.yaml").write_text("lr: 1\n")
    hashes.add(source_hash(sources))
    assert len(hashes) == 4
    (sources / "__pycache__").mkdir()
    (sources / "__pycache__" / "b.pyc").write_bytes(b"x")
    assert source_hash(sources) in hashes


def test_sessions_add_up_and_hold_no_secrets(
    folder: RunFolder, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "geheim-env")
    typed = typed_command(["run.py", "--mongo=mongodb://ann:ge@heim@db/runs", "with", "name=a b"])
    assert typed == "python run.py '--mongo=mongodb://***@db/runs' with 'name=a b'"
    write_provenance(folder, collect_provenance(typed, checkout))
    write_provenance(folder, collect_provenance("python run.py --resume=x", checkout))
    text = folder.provenance.read_text()
    assert "heim" not in text + folder.command.read_text()
    assert [session["command"] for session in json.loads(text)["sessions"]] == [
        typed,
        "python run.py --resume=x",
    ]
    assert folder.command.read_text().splitlines() == [typed, "python run.py --resume=x"]
