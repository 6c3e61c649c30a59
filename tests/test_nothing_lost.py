"""Rotten checkpoints, refused resumes: what a run leaves and says then."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from cohort.cli import main
from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.finished_runs import content, finished, refusal, run, typed

__all__ = ["finished", "run"]  # fixtures


# a refused resume changes nothing


@pytest.mark.parametrize("harm", ["shorter", "damaged"])
def test_metrics_that_do_not_fit_their_checkpoint_are_refused_before_anything_is_written(run, harm, capsys):
    path = run / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if harm == "damaged":
        lines[1] = lines[1].replace(b"{", b"[", 1)
    path.write_bytes(b"".join(lines[:-1] if harm == "shorter" else lines))
    before = content(run)
    said = refusal(capsys, f"--resume={run}", "with", "t_max=400")
    assert ("does not fit its checkpoint" if harm == "shorter" else "Line 2") in said
    assert content(run) == before


def test_a_second_resume_is_refused_while_the_first_is_still_preparing(run, monkeypatch, capsys):
    """The run is locked before its checkpoint is read, and until it ends."""
    from cohort import session

    build = session._build
    said = []

    def build_slowly(*arguments):
        monkeypatch.setattr(session, "_build", build)
        before = content(run)
        said.append(refusal(capsys, f"--resume={run}", "with", "t_max=300"))
        assert content(run) == before
        return build(*arguments)

    monkeypatch.setattr(session, "_build", build_slowly)
    assert main([f"--resume={run}", "with", "t_max=200"]) == 0
    assert "this run is still going" in said[0]
    assert json.loads((run / "status.json").read_text())["state"] == "COMPLETED"


def test_a_run_killed_before_its_record_was_closed_is_closed_by_resuming_it(run, capsys):
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(status | {"state": "RUNNING", "pid": 2**22 + 1}))
    (run / "curve.png").unlink()
    metrics = harness.metrics(run)
    assert main(["ls", str(run.parent)]) == 0
    told = capsys.readouterr().out
    assert "UNCLOSED" in told
    assert "DEAD" not in told
    assert main([f"--resume={run}"]) == 0
    assert harness.metrics(run) == metrics
    assert json.loads((run / "status.json").read_text())["state"] == "COMPLETED"
    assert (run / "curve.png").is_file()
    assert "is finished" in refusal(capsys, f"--resume={run}")


def test_an_edited_configuration_is_reported(run, capsys):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.0005\n", "lr: 0.0007\n"))
    assert main([f"--resume={run}", "with", "t_max=200"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "changed since" in line]
    assert [line.partition("session: ")[2] for line in told] == ["lr: 0.0005 -> 0.0007"]  # t_max was typed


# rotten checkpoints


def test_no_changed_bit_is_learned_from(run):
    """Wherever a bit flips, the checkpoint is refused or is what it was."""
    path = run / "checkpoint.pt"
    whole, good = path.read_bytes(), load_checkpoint(path)
    draw = random.Random(0)
    refused = 0
    for place in (draw.randrange(len(whole)) for _ in range(150)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            same = _same(load_checkpoint(path), good)
        except UserError:
            refused += 1
        else:
            assert same, f"byte {place} of {len(whole)}"
    assert refused > 40  # the rest are names, padding and dates


def _same(one, other) -> bool:
    if hasattr(one, "shape"):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other or (one != one and other != other)


def test_a_rotten_checkpoint_offers_the_one_before_it(run, capsys):
    path = run / "checkpoint.pt"
    harm(path)
    before = content(run)
    said = refusal(capsys, f"--resume={run}", "with", "t_max=240")
    assert "damaged" in said
    assert "data/" in said  # the member
    assert content(run) == before
    copy = said.partition("again: ")[2].split()
    assert copy[0] == "cp"
    assert main(typed(run.parent / "straight", "t_max=240")) == 0
    subprocess.run(copy, check=True)
    assert main([f"--resume={run}", "with", "t_max=240"]) == 0
    assert [line["t_env"] for line in harness.metrics(run)][-1] == 240


def harm(path: Path) -> None:
    """Flip a bit of the largest tensor in a checkpoint."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    whole = bytearray(path.read_bytes())
    whole[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    path.write_bytes(whole)


def test_a_checkpoint_and_the_one_before_it_are_kept(run):
    steps = [
        load_checkpoint(run / name)["recorder"]["t_env"]
        for name in ("checkpoint.previous.pt", "checkpoint.pt")
    ]
    assert steps == sorted(set(steps))
    assert steps[-1] == 160


# nothing to train


def test_a_model_beyond_t_max_is_refused(finished, tmp_path, capsys):
    words = typed(tmp_path, f"t_max=100 checkpoint_path={finished}")
    assert "nothing would be trained" in refusal(capsys, *words)
    assert not list(tmp_path.iterdir())


# a user's mistake is no traceback


def test_whoever_reads_a_list_may_stop_reading():
    done = subprocess.run(
        [sys.executable, "-u", str(harness.ROOT / "run.py"), "--list"],
        stdout=_closed_pipe(), stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def _closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_run_without_standard_output_records_all_the_same(tmp_path):
    command = [sys.executable, str(harness.ROOT / "run.py"), *typed(tmp_path, "t_max=80")]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert harness.metrics(harness.only_run(tmp_path))[-1]["t_env"] == 80


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--resume=" + "a" * 5000], "File name too long"),
        (["--config=--", "--env-config=matrix_games"], "--"),
        (["--config=qmix", "--env-config=matrix_games", "with", "t_max=" + "9" * 400], "less than or"),
        (
            ["--config=qmix", "--env-config=sc2_sim", "--dry-run", "with", "seed=0..99999", "t_max=1..99999"],
            "runs",
        ),
    ],
)
def test_absurd_words_are_refused(words, told, capsys):
    assert told in refusal(capsys, *words)


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(typed(Path("~/results"), "t_max=40")) == 0
    assert harness.only_run(tmp_path / "results").is_dir()


@pytest.mark.parametrize(
    "state", [{}, {"recorder": {"t_env": 1}}, {"trainer": [], "done": {}, "recorder": 3}]
)
def test_a_checkpoint_of_something_else_is_refused(run, state, capsys):
    from cohort.recording.checkpoints import save_atomically

    (run / "checkpoint.previous.pt").unlink()
    save_atomically(state, run / "checkpoint.pt")
    assert "something else than a run" in refusal(capsys, f"--resume={run}", "with", "t_max=200")


@pytest.mark.parametrize("name", ["console.log", "curve.png", "status.json"])
def test_a_folder_in_the_place_of_a_file_stops_no_run(run, name, capsys):
    (run / name).unlink()
    (run / name).mkdir()
    assert main([f"--resume={run}", "with", "t_max=200"]) == 0
    assert harness.metrics(run)[-1]["t_env"] == 200


def test_what_a_killed_session_left_half_written_is_removed(run):
    leftovers = [run / ".checkpoint.pt.17.tmp", run / "sacred" / "1" / ".metrics.json.17.tmp"]
    for leftover in leftovers:
        leftover.write_text("half")
    assert main([f"--resume={run}", "with", "t_max=200"]) == 0
    assert not any(leftover.exists() for leftover in leftovers)
