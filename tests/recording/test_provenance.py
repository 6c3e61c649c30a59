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


def sources(checkout: Path) -> Path:
    return checkout / "src" / "cohort"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    sources(root).mkdir(parents=True)
    (sources(root) / "a.py").write_text("x = 1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_git_state_tells_clean_from_changed(checkout: Path) -> None:
    clean = git_state(checkout)
    assert clean == {
        "url": f"git:/{checkout}",
        "commit": git(checkout, "rev-parse", "HEAD"),
        "dirty": False,
        "diff_hash": None,
    }
    git(checkout, "remote", "add", "origin", "https://ann:geheim@host/repository.git")
    assert git_state(checkout)["url"] == "https://***@host/repository.git"
    (sources(checkout) / "a.py").write_text("x = 2\n")
    changed = git_state(checkout)
    assert changed is not None
    assert changed["dirty"]
    assert len(changed["diff_hash"]) == 12
    (sources(checkout) / "a.py").write_text("x = 3\n")
    other = git_state(checkout)
    assert other is not None
    assert other["diff_hash"] != changed["diff_hash"]


def test_sources_that_merely_lie_in_a_repository_are_not_its_commit(checkout: Path) -> None:
    copy = checkout / "unpacked"
    sources(copy).mkdir(parents=True)
    assert git_state(copy) is None


def test_without_git_nothing_fails(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path / "nowhere") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    provenance = collect_provenance("python run.py", sources(checkout), sources(checkout))
    assert provenance["git"] is None
    assert provenance["source_hash"] == source_hash(sources(checkout))
    assert provenance["packages"]["torch"].startswith("2.")
    assert provenance["cpu_count"] >= 1


@pytest.mark.parametrize(
    ("content", "commit", "dirty"),
    [
        (f"{'a' * 40}\n\n", "a" * 40, False),
        (f"{'a' * 40}-dirty\nhttps://host/a.git\n", "a" * 40, True),
        ("abc1234", "abc1234", False),
        ("\n\n", None, None),
        ("", None, None),
        ("main\n", None, None),
        ("abc1234-rc1\n", None, None),
        ("\xff", None, None),
    ],
)
def test_sources_without_git_have_the_commit_that_their_image_was_built_with(
    tmp_path: Path, content: str, commit: str | None, dirty: bool | None
) -> None:
    sources(tmp_path).mkdir(parents=True)
    (tmp_path / "COMMIT").write_bytes(content.encode("latin-1"))
    git = collect_provenance("python run.py", sources(tmp_path), sources(tmp_path))["git"]
    assert (git and git["commit"], git and git["dirty"]) == (commit, dirty)


def test_a_checkouts_own_commit_goes_before_a_file(checkout: Path) -> None:
    (checkout / "COMMIT").write_text("abc1234\n")
    found = collect_provenance("python run.py", sources(checkout), sources(checkout))["git"]
    assert found["commit"] == git(checkout, "rev-parse", "HEAD")


def test_source_hash_sees_names_and_contents(checkout: Path) -> None:
    folder = sources(checkout)
    hashes = {source_hash(folder)}
    (folder / "a.py").rename(folder / "b.py")
    hashes.add(source_hash(folder))
    (folder / "b.py").write_text("x = 4\n")
    hashes.add(source_hash(folder))
    (folder / "c.yaml").write_text("lr: 1\n")
    hashes.add(source_hash(folder))
    assert len(hashes) == 4
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "b.pyc").write_bytes(b"x")
    assert source_hash(folder) in hashes


def test_source_hash_is_the_same_in_a_checkout_and_in_an_installed_package(tmp_path: Path) -> None:
    """There the YAML lies beside the code, here in it."""
    hashes = set()
    for place in ("src/cohort", "src/config"), ("site/cohort", "site/cohort/config"):
        package, config = (tmp_path / name for name in place)
        config.mkdir(parents=True)
        package.mkdir(exist_ok=True)
        (package / "a.py").write_text("x = 1\n")
        (config / "default.yaml").write_text("lr: 1\n")
        hashes.add(source_hash(package, config))
    assert len(hashes) == 1


def test_what_was_typed_names_the_console_command() -> None:
    assert typed_command(["/opt/venv/bin/cohort", "--config=qmix"]) == "cohort --config=qmix"
    assert typed_command(["/a b/run.py", "--list"]) == "python '/a b/run.py' --list"


def test_sessions_add_up_and_hold_no_secrets(
    folder: RunFolder, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "geheim-env")
    typed = typed_command(["run.py", "--mongo=mongodb://ann:ge@heim@db/runs", "with", "name=a b"])
    assert typed == "python run.py '--mongo=mongodb://***@db/runs' with 'name=a b'"
    write_provenance(folder, collect_provenance(typed, sources(checkout), sources(checkout)))
    write_provenance(
        folder, collect_provenance("python run.py --resume=x", sources(checkout), sources(checkout))
    )
    text = folder.provenance.read_text()
    assert "heim" not in text + folder.command.read_text()
    assert [session["command"] for session in json.loads(text)["sessions"]] == [
        typed,
        "python run.py --resume=x",
    ]
    assert folder.command.read_text().splitlines() == [typed, "python run.py --resume=x"]
