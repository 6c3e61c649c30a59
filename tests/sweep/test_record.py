"""What a sweep writes down and shows."""

import fcntl
import io
import json
import signal

import pytest
from rich.console import Console as RichConsole

from cohort.cli import main
from cohort.errors import UserError
from cohort.recording.console import Console
from cohort.sweep import view
from cohort.sweep.display import Display
from cohort.sweep.folder import (
    Description,
    SweepFolder,
    SweepRun,
    announced_run,
    read_description,
    write_description,
)
from cohort.sweep.journal import Entry, Journal
from cohort.sweep.loop import Sweep
from cohort.sweep.processes import Ending, ProcessPool


def run(seed=0, method="qmix", t_max=1000, **varied):
    words = (f"--config={method}", "--env-config=matrix_games", "with", f"seed={seed}")
    return SweepRun(words, method, "climbing", seed, t_max, threads=1, cuda=False, varied=varied)


# --- the journal


def test_a_journal_is_read_back_and_a_torn_last_line_is_cut(tmp_path):
    path = tmp_path / "runs.jsonl"
    with Journal(path, 3) as journal:
        journal.note(0, Entry("running"), pid=7)
        journal.note(0, Entry("completed", "a"))
        journal.note(2, Entry("failed", "c", "ValueError: ü"))
    whole = path.read_bytes()
    expected = [Entry("completed", "a"), Entry(), Entry("failed", "c", "ValueError: ü")]
    for cut in range(len(whole.rsplit(b"\n", 2)[0]) + 2, len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, 3) as journal:
            assert journal.entries == [*expected[:2], Entry()]
            journal.note(2, expected[2])
        with Journal(path, 3) as journal:
            assert journal.entries == expected
    assert json.loads(whole.splitlines()[0])["pid"] == 7


@pytest.mark.parametrize(
    "line", ['{"run": 9, "state": "running"}', '{"run": 1}', "[]", "no", '{"run":1,"state":"x"}']
)
def test_a_line_that_is_no_entry_is_named(tmp_path, line):
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(UserError, match=r"Line 1 of .* is no entry"):
        Journal(path, 3)


def test_a_sweep_has_one_process(tmp_path):
    path = tmp_path / "runs.jsonl"
    with open(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="still going"):
            Journal(path, 3)


# --- the description


def described(tmp_path, runs):
    folder = SweepFolder(tmp_path)
    description = Description("python run.py ...", str(tmp_path), {"git": None}, tuple(runs))
    write_description(folder, description)
    return folder, description


def test_a_description_is_read_back_and_a_damaged_one_refused(tmp_path, capsys):
    folder, description = described(tmp_path, [run(0, lr="1e-3"), run(1, lr="1e-3")])
    assert read_description(folder) == description
    assert main([f"--resume={tmp_path}", "with", "t_max=9"]) == 2
    assert "keeps its runs as they are" in capsys.readouterr().err
    for damaged in ("", "runs: 3", "[1", "runs: [{words: [a]}]"):
        folder.description.write_text(damaged)
        assert main([f"--resume={tmp_path}"]) == 2
        assert "is no description of a sweep" in capsys.readouterr().err


def test_a_run_folder_is_the_last_that_was_announced_and_is_there(tmp_path):
    output = tmp_path / "1.log"
    assert announced_run(output, tmp_path) is None
    output.write_bytes(b"device: CPU\nrun: results/a\n\xff run: results/b\nrun: results/gone\nrun:x\n")
    (tmp_path / "results" / "a").mkdir(parents=True)
    (tmp_path / "results" / "b").mkdir(parents=True)
    assert announced_run(output, tmp_path) == tmp_path / "results" / "a"
    assert announced_run(output, tmp_path, offset=30) is None


# --- what a kill of the sweep left


def test_what_the_journal_did_not_hear_is_found_out(tmp_path):
    """A sweep that was killed before it knew a run's folder: the run's own output tells it."""
    root = tmp_path / "sweep__x"
    folder, description = described(_made(root), [run(0), run(1), run(2), run(3)])
    _made(root / "output")
    _made(tmp_path / "qmix__0")
    folder.output(0).write_text(f"run: {tmp_path}/qmix__0\n")
    with Journal(folder.journal, 4) as journal:
        journal.note(0, Entry("running"))
        journal.note(1, Entry("completed", "qmix__1"))
        journal.note(2, Entry("failed", None, "bug"))
        for retry, waiting in ((False, [0, 3]), (True, [0, 2, 3])):
            sweep = Sweep(folder, description, journal, None, None)
            sweep.take_over(retry)
            assert sweep._waiting == waiting
        assert journal.entries[0] == Entry("interrupted", "qmix__0")


def _made(path):
    path.mkdir()
    return path


# --- endings


def test_who_was_ended_can_go_on_and_who_failed_cannot():
    interrupted = [
        code for code in (None, 0, 1, 2, 130, 143, -2, -6, -9, -11, -15) if Ending(0, code).interrupted
    ]
    assert interrupted == [None, 130, 143, -2, -9, -15]
    assert Ending(0, -signal.SIGKILL).describe() == "killed by signal 9 (Killed)"
    assert Ending(0, 2).describe() == "ended with status 2"


def test_runs_take_turns_with_the_gpus(tmp_path, monkeypatch):
    seen = []

    class Child:
        pid, code = 1, None

        def poll(self):
            return self.code

    def start(arguments, output, directory, environment):
        seen.append((environment.get("CUDA_VISIBLE_DEVICES"), environment["OMP_NUM_THREADS"]))
        return Child()

    monkeypatch.setattr("cohort.sweep.processes.start_child", start)
    monkeypatch.setattr("cohort.sweep.processes.as_arguments", lambda task: [])
    pool = ProcessPool(3, tmp_path, {}, ["GPU-a", "GPU-b"])
    wanting = SweepRun((), "qmix", "3m", 0, 10, threads=2, cuda=True)
    task = type("Task", (), {"output": ""})
    for number in range(3):
        assert pool.has_room(wanting)
        pool.start(number, wanting, task)
    assert not pool.has_room(wanting)
    pool._children[1].code = 0
    assert pool.ended() == [Ending(1, 0)]
    pool.start(3, wanting, task)  # in the place of run 1
    assert seen == [("GPU-a", "2"), ("GPU-b", "2"), ("GPU-a", "2"), ("GPU-b", "2")]


# --- what is shown


RUNS = (run(0), run(1), run(2), run(0, "vdn"))
ENTRIES = (
    Entry("completed", "a"),
    Entry("completed", "b"),
    Entry("running", "c"),
    Entry("failed", None, "bug"),
)
READINGS = (
    view.Reading(1000, 10.0, ("test return", 2.0)),
    view.Reading(1000, 10.0, ("test return", 5.0)),
    view.Reading(400, 4.0, ("test return", 9.0)),
    view.NOTHING,
)


def test_medians_are_over_the_completed_seeds_of_a_group():
    headings, rows = view.median_rows(RUNS, ENTRIES, READINGS)
    assert headings == ["method", "map", "seeds", "metric", "median (range)"]
    assert rows == [
        ["qmix", "climbing", "2 of 3", "test return", "3.5 (2 to 5)"],
        ["vdn", "climbing", "0 of 1", "", ""],
    ]
    varied = [run(0, lr="1e-3"), run(0, lr="1e-4")]
    headings, rows = view.median_rows(varied, ENTRIES[:2], READINGS[:2])
    assert [row[2] for row in rows] == ["1e-3", "1e-4"]
    assert headings[2] == "lr"


def test_the_time_left_is_that_of_all_steps_still_to_be_made():
    waiting = [*ENTRIES[:3], Entry()]
    assert view.seconds_left(RUNS, waiting, READINGS) == pytest.approx((600 + 1000) / 100)
    assert view.seconds_left(RUNS, ENTRIES, READINGS) == pytest.approx(6)
    assert view.seconds_left(RUNS, [Entry()] * 4, READINGS) is None
    assert view.counts(ENTRIES) == "2 completed, 1 running, 1 failed"


def test_a_terminal_shows_a_table_that_fits_and_a_pipe_shows_lines():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for height, shown in ((20, {"1", "2", "3", "4"}), (7, {"3", "4"})):
        stream = Terminal()
        console = Console(stream)
        console.terminal = RichConsole(file=stream, force_terminal=True, width=110, height=height)
        display = Display(console, RUNS)
        display.changed(3, ENTRIES[3], READINGS[3])
        assert display.due
        display.refresh(ENTRIES, READINGS)
        picture = stream.getvalue()
        display.close()
        lines = [line.split() for line in picture.splitlines()]
        assert {words[0][-1] for words in lines if "climbing" in words} == shown
        assert "400 of 1k" in picture
        assert "bug" in picture
        assert "2 completed, 1 running, 1 failed; about 6s left" in picture

    stream = io.StringIO()
    display = Display(Console(stream), RUNS)
    display.changed(3, ENTRIES[3], READINGS[3])
    display.changed(0, ENTRIES[0], READINGS[0])
    assert not display.due
    assert stream.getvalue() == (
        "run 4 of 4  vdn climbing seed 0  failed: bug\n"
        "run 1 of 4  qmix climbing seed 0  completed  test return 2.000\n"
    )


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_keeps_what_tells_runs_apart(width):
    varied = {"critic_lr": "0.0005", "env_args.non_stationarity": "modelling"}
    runs = [
        run(seed, method, **varied) for method in ("mnmpg_2_rode", "mappo_attention") for seed in (101, 102)
    ]
    failed = Entry(
        "failed", reason="RuntimeError: what went wrong is told at length, and the log has more of it"
    )
    running = Entry("running", folder="results/mnmpg_2_rode__27m_vs_30m__seed101__2026-11-28_01-00-00")
    stream = io.StringIO()
    console = Console(stream)
    console.terminal = RichConsole(
        file=stream, force_terminal=True, color_system=None, width=width, height=20
    )
    display = Display(console, runs)
    display.refresh([running, failed, Entry("waiting"), Entry("waiting")], READINGS)
    display.close()
    lines = [line.split() for line in stream.getvalue().splitlines()]
    for number, each in enumerate(runs, start=1):
        words = {str(number), "0.0005", "modelling", str(each.seed)}
        assert any(words <= set(line) for line in lines), words
    assert any({"run", "seed", "state"} <= set(line) for line in lines)
    states = {word for line in lines for word in line}
    assert {"RUNNING", "FAILED", "WAITING"} <= states
