"""The truth: append, kill, rewind, read."""

import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from cohort.errors import UserError
from cohort.recording.metrics import DISCARDED, MetricsFile, read_metrics, read_series


def write(file: MetricsFile, *steps: int) -> None:
    for step in steps:
        file.append(step, {"return_mean": step / 3}, updates=step * 2, episode=step * 5, wall_time=step / 10)


def steps_of(path: Path) -> list[int]:
    return [record.t_env for record in read_metrics(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_line_has_the_promised_fields_and_is_there_at_once(path: Path) -> None:
    file = MetricsFile(path)
    file.append(7, {"loss": np.float32(0.5), "q": 1}, updates=2, episode=3, wall_time=1.23456)
    line = path.read_text()
    assert json.loads(line) == {
        "t_env": 7,
        "updates": 2,
        "episode": 3,
        "wall_time": 1.235,
        "metrics": {"loss": 0.5, "q": 1.0},
    }
    assert line.endswith("}\n")
    file.close()


def test_values_come_back_bit_for_bit_and_not_finite_ones_are_valid_json(path: Path) -> None:
    values = {
        "nan": math.nan,
        "inf": math.inf,
        "minus": -math.inf,
        "tenth": 0.1,
        "tiny": 5e-324,
        "zero": -0.0,
    }
    file = MetricsFile(path)
    file.append(1, values, updates=0, episode=0, wall_time=0)
    file.close()

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    json.loads(path.read_text(), parse_constant=refuse)
    read = read_metrics(path)[0].metrics
    assert math.isnan(read.pop("nan"))
    assert math.isnan(values.pop("nan"))
    assert read == values
    assert math.copysign(1, read["zero"]) == -1


def test_rewind_keeps_what_it_cuts(path: Path) -> None:
    file = MetricsFile(path)
    write(file, 1, 2)
    position = file.position()
    write(file, 3, 4)
    file.rewind(position)
    write(file, 30)
    file.close()
    assert steps_of(path) == [1, 2, 30]
    assert steps_of(path.with_name(DISCARDED)) == [3, 4]


def test_rewinding_to_the_end_or_the_start(path: Path) -> None:
    file = MetricsFile(path)
    write(file, 1)
    file.rewind(file.position())
    assert not path.with_name(DISCARDED).exists()
    file.rewind(0)
    assert steps_of(path) == []
    file.close()


@pytest.mark.parametrize("offset", [-1, 1, 1000])
def test_rewinding_into_a_changed_file_is_refused(path: Path, offset: int) -> None:
    file = MetricsFile(path)
    write(file, 1)
    position = file.position()
    with pytest.raises(UserError, match="does not fit its checkpoint"):
        file.rewind(position + offset)
    assert steps_of(path) == [1]
    file.close()


def test_torn_last_line_is_not_read_and_goes_aside_when_writing_goes_on(path: Path) -> None:
    file = MetricsFile(path)
    write(file, 1, 2)
    file.close()
    whole = path.read_bytes()
    torn = whole + whole[: len(whole) // 4]
    path.write_bytes(torn)
    assert steps_of(path) == [1, 2]
    file = MetricsFile(path)
    write(file, 3)
    file.close()
    assert steps_of(path) == [1, 2, 3]
    assert path.with_name(DISCARDED).read_bytes() == torn[len(whole) :] + b"\n"


def test_torn_line_longer_than_one_block(path: Path) -> None:
    path.write_bytes(b'{"t_env": 1' + b" " * 200_000)
    MetricsFile(path).close()
    assert len(path.read_bytes()) > 200_000  # whoever only looks changes nothing
    file = MetricsFile(path)
    assert file.position() == 0
    file.close()
    assert path.read_bytes() == b""


def test_damage_inside_is_named_by_line(path: Path) -> None:
    file = MetricsFile(path)
    write(file, 1, 2, 3)
    file.close()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:20], lines[2]]) + "\n")
    with pytest.raises(UserError, match="Line 2"):
        read_metrics(path)


def test_series_skips_records_without_the_metric(path: Path) -> None:
    file = MetricsFile(path)
    write(file, 10, 20)
    file.append(15, {"test_return_mean": 1.0}, updates=0, episode=0, wall_time=0)
    file.close()
    steps, values = read_series(path, "return_mean")
    assert steps.tolist() == [10, 20]
    assert values.tolist() == [10 / 3, 20 / 3]
    assert steps.dtype == np.int64
    assert values.dtype == np.float64
    assert read_series(path, "unheard_of")[0].shape == (0,)


def test_missing_file_is_named(path: Path) -> None:
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        read_metrics(path)


def test_second_writer_is_refused_until_the_first_is_done(path: Path) -> None:
    first = MetricsFile(path)
    with pytest.raises(UserError, match="another process"):
        MetricsFile(path)
    write(first, 1)
    first.close()
    second = MetricsFile(path)
    write(second, 2)
    second.close()
    assert steps_of(path) == [1, 2]


def test_kill_in_mid_writing_loses_no_whole_line(path: Path, child) -> None:
    """Whatever the reader saw before the kill is there after it, and the next session goes on writing."""
    code = """
        import sys
        from pathlib import Path
        from cohort.recording.metrics import MetricsFile
        file = MetricsFile(Path(sys.argv[1]))
        step = int(sys.argv[2])
        while True:
            step += 1
            file.append(step, {f"m{i}": step / 3 for i in range(40)}, updates=0, episode=0, wall_time=0)
    """
    for _ in range(2):
        before = len(path.read_bytes()) if path.exists() else 0
        last = steps_of(path)[-1] if before else 0
        writer = child(code, path, last)
        until = time.monotonic() + 20
        while (not path.exists() or path.stat().st_size < before + 200_000) and time.monotonic() < until:
            time.sleep(0.005)
        seen = steps_of(path)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        after = steps_of(path)
        assert len(seen) > 50
        assert after[: len(seen)] == seen
        assert after == list(range(1, len(after) + 1))
