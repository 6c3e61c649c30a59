"""Full disks, rotten checkpoints, refused resumes: what a run leaves and says then."""

import ctypes
import errno
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cohort.cli import main
from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint
from tests import harness
from tests.mongod import wait_for

RUN = "env_args.map_name=two_step test_interval=60 log_interval=40 checkpoint_interval=40"


def typed(results: Path, text: str = "") -> list[str]:
    return harness.words("qmix", "matrix_games", f"{RUN} local_results_path={results} {text}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("finished")
    assert main(typed(results, "t_max=160")) == 0
    return harness.only_run(results)


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of a finished run that a test may harm."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))


def content(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def refusal(capsys, *words: str) -> str:
    """What a command says that ends with status 2, without a traceback."""
    capsys.readouterr()
    assert main(list(words)) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return one_line(said)


def one_line(text: str) -> str:
    return " ".join(text.split())


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


# full disks


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
