"""What is printed, and what is not: control characters, passwords, the steps of earlier sessions."""

import io
import os
import pty
import re
import sys
from pathlib import Path

import pytest

from cohort.recording.console import Console
from cohort.recording.metrics import Record
from cohort.recording.progress import Progress, duration

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def record(t_env: int, episode: int, **metrics: float) -> Record:
    return Record(t_env, 0, episode, 0.0, metrics)


def test_output_is_plain_and_repeated_with_the_time(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.print("before the log is open")
    console.open_log(tmp_path / "console.log")
    console.print("\x1b[1;31mred\x1b[0m\rand \x1b]0;title\x07[bold]brackets[/bold]\nsecond line")
    console.log_only("for the file")
    console.close()
    assert stream.getvalue() == "before the log is open\nredand [bold]brackets[/bold]\nsecond line\n"
    lines = (tmp_path / "console.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in lines)
    assert [line[21:] for line in lines] == [
        "before the log is open",
        "redand [bold]brackets[/bold]",
        "second line",
        "for the file",
    ]


def test_a_label_begins_every_printed_line_and_is_not_in_the_log(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(stream, label="seed 3: ")
    console.open_log(tmp_path / "console.log")
    console.print("one\ntwo")
    console.close()
    assert stream.getvalue() == "seed 3: one\nseed 3: two\n"
    assert "seed 3" not in (tmp_path / "console.log").read_text()


def test_passwords_are_neither_printed_nor_kept(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.open_log(tmp_path / "console.log")
    console.print("cannot reach mongodb://anneliese:geheim@db:27017/runs with db_password=geheim")
    console.close()
    for text in (stream.getvalue(), (tmp_path / "console.log").read_text()):
        assert "geheim" not in text
        assert "anneliese" not in text
        assert "db:27017/runs" in text


def test_broken_pipe_ends_the_printing_and_not_the_log(tmp_path: Path) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    console = Console(Broken())
    console.open_log(tmp_path / "console.log")
    console.print("one")
    console.print("two")
    console.close()
    assert (tmp_path / "console.log").read_text().count("\n") == 2


def test_stream_that_cannot_spell_a_character(tmp_path: Path) -> None:
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="ascii"))
    console.print("λ-return")
    assert raw.getvalue() == b"?-return\n"


def test_lost_log_is_reported_once(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.open_log(tmp_path / "console.log")
    assert console._log is not None
    console._log.close()  # what a vanished file system looks like
    console.print("one")
    console.print("two")
    assert stream.getvalue().count("console.log is lost") == 1
    assert stream.getvalue().endswith("two\n")


def test_plain_lines_are_aligned_short_and_free_of_control_characters() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(Console(stream), 2_050_000, clock)
    clock.now += 10
    progress.event(record(5_000, 80, return_mean=1.5))
    clock.now += 10
    progress.event(record(1_005_000, 16_000, return_mean=2.5, test_return_mean=-12.25))
    progress.event(record(2_050_000, 32_000, test_battle_won_mean=0.75, return_mean=3.0))
    progress.close()
    text = stream.getvalue()
    lines = text.splitlines()
    assert len(lines) == 3, "one line per event, and no live line"
    assert not CONTROL.search(text)
    assert max(map(len, lines)) <= 110
    assert len({line.index(" steps/s") for line in lines}) == 1
    assert len({line.index("left ") for line in lines}) == 1
    assert "return    1.500" in lines[0]
    assert "test return  -12.250" in lines[1]
    assert "test win rate    0.750" in lines[2]
    assert "100.0 %" in lines[2]
    assert lines[2].endswith("left 0:00:00")


@pytest.mark.parametrize("width", [100, 80, 60, 45])
def test_live_line_fits_and_never_loses_step_and_time_left(width: int) -> None:
    clock = Clock()
    progress = Progress(Console(io.StringIO()), 2_050_000, clock)
    clock.now += 10
    progress.event(record(1_012_000, 12_230, test_battle_won_mean=0.45))
    line = progress.short_line(width)
    assert len(line) <= width
    assert line.startswith("1,012,000 of 2,050,000 steps")
    assert line.endswith("left 0:00:10")
    assert ("test win rate 0.450" in line) == (width >= 80)


def test_speed_and_time_left_count_this_session_alone() -> None:
    clock = Clock()
    progress = Progress(Console(io.StringIO()), 1_000_000, clock)
    clock.now += 500  # building things before the run is resumed
    progress.begin(900_000, 9_000)
    assert progress.speed() is None
    assert progress.line().endswith("left -:--:--")
    for _ in range(10):
        clock.now += 1
        progress.advance(progress._t_env + 100, 9_001)
    assert progress.speed() == pytest.approx(100)
    assert progress.seconds_left() == pytest.approx(99_000 / 100)
    assert "left 0:16:30" in progress.line()


def test_speed_is_that_of_the_last_half_minute() -> None:
    clock = Clock()
    progress = Progress(Console(io.StringIO()), 10**6, clock)
    for second in range(120):
        clock.now += 1
        progress.advance(progress._t_env + (10 if second < 60 else 500), 0)
    assert progress.speed() == pytest.approx(500)


def test_duration() -> None:
    assert [duration(seconds) for seconds in (None, 0, 59.6, 3_661, 360_000)] == [
        "-:--:--",
        "0:00:00",
        "0:01:00",
        "1:01:01",
        "100:00:00",
    ]


RUN = """
import sys, time
from pathlib import Path
from cohort.recording.console import Console
from cohort.recording.metrics import Record
from cohort.recording.progress import Progress
console = Console()
console.open_log(Path(sys.argv[1]))
progress = Progress(console, 1000)
for step in range(1, 6):
    time.sleep(0.1)
    progress.advance(step * 200, step)
    if step == 3:
        print("from somewhere else")
        progress.event(Record(600, 0, 3, 0.0, {"return_mean": 1.0}))
        console.print("a message")
progress.close()
console.close()
"""


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm"}])
def test_piped_output_is_plain(tmp_path: Path, child, environment: dict[str, str]) -> None:
    process = child(RUN, tmp_path / "console.log", **environment)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert not CONTROL.search(output)
    assert "from somewhere else" in output
    assert "600 of 1,000 steps" in output


@pytest.mark.parametrize(
    ("environment", "live"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_terminal_shows_a_live_line_unless_it_is_dumb(
    tmp_path: Path, environment: dict[str, str], live: bool
) -> None:
    pid, descriptor = pty.fork()
    if pid == 0:
        os.environ.update(environment)
        os.execv(sys.executable, [sys.executable, "-c", RUN, str(tmp_path / "console.log")])
    output = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # Linux's way of saying that the other end has closed
            break
        if not piece:
            break
        output += piece
    os.close(descriptor)
    assert os.waitpid(pid, 0)[1] == 0, output.decode()
    text = output.decode()
    assert ("\x1b" in text) == live, text
    assert "from somewhere else" in text
    assert "a message" in text
    if live:
        assert "1,000 of 1,000 steps" in text
    else:
        assert "600 of 1,000 steps" in text, "the plain line of the log event"
    if "NO_COLOR" in environment:
        assert not re.search(r"\x1b\[[\d;]*3\d", text)
    log = (tmp_path / "console.log").read_text()
    assert not CONTROL.search(log)
    assert "600 of 1,000 steps" in log
    assert "a message" in log
