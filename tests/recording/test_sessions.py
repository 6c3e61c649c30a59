"""Sessions are read from a file that anybody may have edited."""

import json
from pathlib import Path

import pytest

from cohort.recording.provenance import collect_provenance
from cohort.recording.sessions import read_sessions


def test_what_a_session_writes_is_read_whole() -> None:
    session = collect_provenance("python run.py", Path(__file__).parent, Path(__file__).parent)
    session |= {"environment": {"game": "4.10"}}
    assert read_sessions(json.dumps({"sessions": [session, session]})) == [session, session]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "null", '{"sessions": 3}', '{"sessions": {"a": 1}}', "[" * 100_000, b"\xff\xfe"],
)
def test_what_is_no_list_of_sessions_is_none(content: str | bytes) -> None:
    assert read_sessions(content) == []


def test_what_has_another_kind_is_not_on_record() -> None:
    written = {"started": "yesterday", "hostname": ["a"], "cpu": None, "gpus": [7], "own": 1}
    written |= {"git": {"commit": 5, "dirty": "no", "diff_hash": "a"}}
    (session,) = read_sessions(json.dumps({"sessions": [3, written]}))
    assert session == {"cpu": None, "gpus": ["7"], "git": {"diff_hash": "a"}}
