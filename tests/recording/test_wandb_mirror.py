"""Weights & Biases: what reaches it over several sessions, and what never does."""

import json
import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from cohort.cli import main
from cohort.errors import UserError
from cohort.recording.metrics import Record
from cohort.recording.mirrors import GuardedMirror
from cohort.recording.wandb_mirror import WandbMirror
from tests import harness

KEY = "0123456789abcdef" * 2 + "01234567"  # the shape of a key


def record(t_env: int, **metrics: float) -> Record:
    return Record(t_env, 0, 0, 0.0, metrics or {"return_mean": t_env / 4})


class Server:
    """Stands for the package and what it talks to: keeps what is logged for each id."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, knows_steps: bool) -> None:
        self.runs: dict[str, list[tuple[int, dict[str, float]]]] = {}
        self.told: list[dict] = []
        self.knows_steps, self.error = knows_steps, None
        package = SimpleNamespace(init=self.init, Settings=dict, teardown=lambda: None)
        monkeypatch.setitem(sys.modules, "wandb", package)

    def init(self, **told):
        if self.error is not None:
            raise self.error
        self.told.append(told)
        points = self.runs.setdefault(told["id"], [])
        return SimpleNamespace(
            step=points[-1][0] + 1 if points and self.knows_steps else 0,
            log=lambda metrics, step: points.append((step, dict(metrics))),
            finish=lambda: None,
        )

    @property
    def steps(self) -> list[int]:
        (points,) = self.runs.values()
        return [step for step, _ in points]


def mirror(folder: Path, mode: str = "offline") -> WandbMirror:
    return WandbMirror(
        folder / "wandb", name="qmix__3m", project="cohort", team=None, mode=mode, config={"lr": 1}
    )


def session(subject: WandbMirror, earlier: list[int], logged: list[int], *, closes: bool = True) -> None:
    subject.begin([record(t_env) for t_env in earlier])
    for t_env in logged:
        subject.log(record(t_env))
    if closes:
        subject.close()


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_resumed_run_goes_on_in_the_same_run_without_a_step_twice(tmp_path, monkeypatch, mode):
    server = Server(monkeypatch, knows_steps=mode == "online")
    session(mirror(tmp_path, mode), [], [10, 20, 30], closes=False)  # killed: its last checkpoint was at 20
    session(mirror(tmp_path, mode), [10, 20], [30, 30, 40])
    session(mirror(tmp_path, mode), [10, 20, 30, 40], [])
    session(mirror(tmp_path, mode), [10, 20, 30, 40], [50])
    assert server.steps == [10, 20, 30, 40, 50]
    assert {told["resume"] for told in server.told} == {"allow"}
    assert {told["name"] for told in server.told} == {"qmix__3m"}
    assert {told["project"] for told in server.told} == {"cohort"}


def test_several_lines_of_one_step_are_all_sent(tmp_path, monkeypatch):
    server = Server(monkeypatch, knows_steps=False)
    subject = mirror(tmp_path)
    subject.begin([])
    subject.log(record(10, a=1.0))
    subject.log(record(10, b=2.0))
    assert next(iter(server.runs.values())) == [(10, {"a": 1.0}), (10, {"b": 2.0})]


def test_a_run_that_is_mirrored_from_a_later_session_on_has_the_earlier_points_too(tmp_path, monkeypatch):
    server = Server(monkeypatch, knows_steps=False)
    session(mirror(tmp_path), [10, 20], [30])
    assert server.steps == [10, 20, 30]


def test_what_is_missing_online_is_sent_again(tmp_path, monkeypatch):
    """The server did not get the last points before a machine died: it knows, and our memory does not."""
    server = Server(monkeypatch, knows_steps=True)
    session(mirror(tmp_path, "online"), [], [10, 20, 30])
    next(iter(server.runs.values())).pop()
    session(mirror(tmp_path, "online"), [10, 20, 30], [40])
    assert server.steps == [10, 20, 30, 40]


@pytest.mark.parametrize("content", ["", "{}", "[1", '{"id": "a"}'])
def test_a_damaged_memory_begins_a_new_run_with_everything(tmp_path, monkeypatch, content):
    server = Server(monkeypatch, knows_steps=False)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "cohort.json").write_text(content)
    session(mirror(tmp_path), [10], [20])
    assert server.steps == [10, 20]


def test_losing_it_is_reported_without_the_key_and_changes_nothing(tmp_path, monkeypatch, said):
    server = Server(monkeypatch, knows_steps=True)
    server.error = RuntimeError(f"API key {KEY} is no good\nmore")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    guarded = GuardedMirror(mirror(tmp_path, "online"), said.append)
    guarded.begin([])
    guarded.log(record(10))
    guarded.close()
    assert "Weights & Biases is lost at its start" in said[0]
    assert "wandb_mode=offline needs none" in said[0]
    assert "missed 1 of this session's 1" in said[1]
    assert KEY not in "".join(said)


def test_a_missing_package_is_told_before_anything_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install -r requirements/wandb\.txt"):
        mirror(tmp_path)
    assert main(harness.words("vdn", "matrix_games", f"local_results_path={tmp_path}/a use_wandb=True")) == 2
    assert "use_wandb=False" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    text = f"local_results_path={tmp_path}/a use_wandb=True wandb_mode=disabled t_max=8"
    assert main(harness.words("vdn", "matrix_games", text)) == 0
    assert not list(tmp_path.glob("a/*/wandb"))


# --- the real package, offline


def read_offline(path: Path) -> list:
    """The records of a .wandb file: LevelDB's log format, in blocks of 32 KiB, of W&B's own messages."""
    from wandb.proto import wandb_internal_pb2

    data, place, whole, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        if kind == 0:
            break
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            found.append(wandb_internal_pb2.Record.FromString(whole))
            whole = b""
    return found


def history(folder: Path) -> list[tuple[str, int, dict[str, float]]]:
    """(id of the run, step, metrics) of all sessions, in order."""
    found = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        records = read_offline(path)
        (name,) = {one.run.run_id for one in records if one.HasField("run")}
        for one in records:
            if one.HasField("history"):
                items = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json)
                    for item in one.history.item
                }
                metrics = {key: value for key, value in items.items() if not key.startswith("_")}
                found.append((name, items["_step"], metrics))
    return found


def test_offline_a_run_and_its_resumption_are_one_run_with_every_point_once(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="needs requirements/wandb.txt")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    children = set(psutil.Process().children(recursive=True))
    text = f"local_results_path={tmp_path}/a use_wandb=True t_max=60 test_interval=20 log_interval=10"
    password = "--mongo=mongodb://ann:sesame@127.0.0.1:1/cohort"
    monkeypatch.setattr(sys, "argv", ["run.py", password])
    assert main(harness.words("vdn", "matrix_games", text)) == 0
    folder = harness.only_run(tmp_path / "a")
    assert main([f"--resume={folder}", "with", "t_max=100"]) == 0

    points = history(folder)
    assert len({name for name, _, _ in points}) == 1
    assert len(list(folder.glob("wandb/offline-run-*"))) == 2
    steps = [step for _, step, _ in points]
    assert steps == sorted(set(steps))
    expected: dict[int, dict[str, float]] = {}
    for line in harness.metrics(folder):
        expected.setdefault(line["t_env"], {}).update(line["metrics"])
    assert {step: metrics for _, step, metrics in points} == expected

    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content, path
            if "wandb" in path.parts:
                assert b"sesame" not in content, path
    assert not (tmp_path / "elsewhere").exists()
    assert not [child for child in psutil.Process().children(recursive=True) if child not in children]
    assert not [name for name in os.environ if "WANDB_SERVICE" in name]


def test_offline_files_mirror_nothing_into_the_metrics(tmp_path):
    """A run with and one without it write the same metrics."""
    pytest.importorskip("wandb", reason="needs requirements/wandb.txt")
    found = []
    for use in (True, False):
        text = (
            f"local_results_path={tmp_path}/{use} use_wandb={use} t_max=40 test_interval=20 log_interval=10"
        )
        assert main(harness.words("vdn", "matrix_games", text)) == 0
        found.append(harness.metrics(harness.only_run(tmp_path / str(use))))
    assert found[0] == found[1]
