"""Run folders: unique names, refusals that leave nothing behind, resuming."""

import os
from pathlib import Path

import pytest

from cohort.errors import UserError
from cohort.recording import folder as folder_module
from cohort.recording.folder import create_run_folder, names_like, open_run_folder, place_named


def test_two_runs_of_the_same_second_get_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen(folder_module.datetime):
        @classmethod
        def now(cls) -> "Frozen":  # type: ignore[override]
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(folder_module, "datetime", Frozen)
    names = [create_run_folder(tmp_path / "deep" / "results", "qmix").name for _ in range(3)]
    assert names == [
        "qmix__2026-01-02_03-04-05",
        "qmix__2026-01-02_03-04-05_2",
        "qmix__2026-01-02_03-04-05_3",
    ]


def test_name_cannot_leave_the_results_folder(tmp_path: Path) -> None:
    root = create_run_folder(tmp_path, "../../a b/c").root
    assert root.parent == tmp_path
    assert "/" not in root.name
    assert " " not in root.name


@pytest.mark.parametrize("below", [".", "inner", "inner/deeper"])
def test_results_at_or_below_a_file_are_refused_by_name(tmp_path: Path, below: str) -> None:
    file = tmp_path / "taken"
    file.write_text("mine")
    with pytest.raises(UserError, match="taken"):
        create_run_folder(file / below, "qmix")
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_text() == "mine"


def test_refusal_of_permission_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os, "access", lambda path, mode: False
    )  # root may write anywhere, so chmod is no test
    with pytest.raises(UserError, match="no permission"):
        create_run_folder(tmp_path / "results", "qmix")
    assert list(tmp_path.iterdir()) == []


def test_failure_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(results: Path, stem: str) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module, "_make_unique", full)
    with pytest.raises(UserError, match="No space left"):
        create_run_folder(tmp_path / "a" / "b", "qmix")
    assert list(tmp_path.iterdir()) == []


def test_open_run_folder_says_what_is_missing(tmp_path: Path) -> None:
    run = create_run_folder(tmp_path, "qmix")
    with pytest.raises(UserError, match=r"no config\.yaml and no metrics\.jsonl"):
        open_run_folder(run.root)
    run.config.write_text("seed: 1\n")
    with pytest.raises(UserError, match=r"no metrics\.jsonl"):
        open_run_folder(run.root)
    run.metrics.touch()
    assert open_run_folder(run.root) == run


def test_open_run_folder_names_the_runs_nearby(tmp_path: Path) -> None:
    run = create_run_folder(tmp_path, "qmix")
    run.config.write_text("seed: 1\n")
    with pytest.raises(UserError, match=run.name):
        open_run_folder(tmp_path / "qmix__3mm")
    with pytest.raises(UserError, match=run.name):
        open_run_folder(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        open_run_folder(run.config)


def test_a_name_is_itself_or_a_part_or_a_piece():
    names = ["qmix__3m__seed1__slow__now", "qmix__3m__seed2__slower__now", "vdn__3m__seed1__now"]
    assert names_like(names[0], names) == names[:1]
    assert names_like("slow", names) == names[:1]  # an exact label before a longer one
    assert names_like("slowe", names) == names[1:2]
    assert names_like("qmix", names) == names[:2]
    assert names_like("iql", names) == []


def test_a_folder_is_meant_by_its_path_or_by_a_piece_of_its_name(tmp_path):
    results = tmp_path / "results"
    for name in ("qmix__3m__seed1__slow__now", "qmix__3m__seed2__slower__now"):
        (results / name).mkdir(parents=True)
    assert place_named(Path("slow"), results) == results / "qmix__3m__seed1__slow__now"
    assert place_named(tmp_path, results) == tmp_path
    assert place_named(Path("nothing"), results) == Path("nothing")
    assert place_named(tmp_path / "slow", results) == tmp_path / "slow"
    with pytest.raises(UserError, match="2 names"):
        place_named(Path("qmix"), results)
