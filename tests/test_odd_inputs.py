"""Odd inputs by the hundred: no traceback, no hang, nothing left.

More of them, and others: `ODD_INPUTS=2000 ODD_SEED=8 pytest tests/test_odd_inputs.py`.
"""

import os
import random
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from cohort.cli import main
from tests import harness, odd_inputs

COUNT, SEED = int(os.environ.get("ODD_INPUTS", "200")), os.environ.get("ODD_SEED", "7")
SECONDS = 10
STATUSES = (0, 1, 2, 141)


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def survives(words: list[str], capsys: pytest.CaptureFixture[str]) -> str | None:
    """Why not, or None."""
    try:
        with within(SECONDS):
            status = main(words)
    except SystemExit as end:  # argparse's --help
        status = end.code
    except BaseException:
        return traceback.format_exc()[-1500:]
    said = capsys.readouterr()
    if status not in STATUSES:
        return f"status {status}: {said.err[-500:]}"
    return "a traceback was printed" if "Traceback" in said.err + said.out else None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("whole")
    text = (
        f"env_args.map_name=two_step t_max=60 test_interval=30 log_interval=20 local_results_path={results}"
    )
    assert main(harness.words("qmix", "matrix_games", text)) == 0
    return harness.only_run(results)


@pytest.mark.parametrize("kind", ["command lines", "files", "queries", "damaged folders"])
def test_odd_inputs_end_in_a_sentence(kind, whole, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw = random.Random(f"{SEED} {kind}")
    made = {
        "command lines": lambda: odd_inputs.command_lines(draw),
        "files": lambda: odd_inputs.files(draw, tmp_path),
        "queries": lambda: odd_inputs.queries(draw, whole),
        "damaged folders": lambda: odd_inputs.damaged_folders(draw, whole, tmp_path),
    }[kind]()
    failures = {}
    for words in islice(made, COUNT // 4):
        if why := survives(words, capsys):
            failures[" ".join(words)[:300]] = why
    assert not failures, "\n\n".join(f"{words!r}\n{why}" for words, why in islice(failures.items(), 5))
    assert not (tmp_path / "results").exists()
