"""Small runs for the tests of MongoDB, and the comparison of what a reader finds there with the run's folder."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gridfs import GridFS

from cohort.recording.console import Console
from cohort.recording.folder import RunFolder
from cohort.recording.metrics import Record, read_metrics, series
from cohort.recording.mirrors import Mirror
from cohort.recording.mongo.mirror import mirrored_to_mongo
from cohort.recording.mongo.target import MongoTarget
from cohort.recording.origin import Origin
from cohort.recording.progress import Progress
from cohort.recording.recorder import Recorder
from cohort.recording.sacred_mirror import SacredOutcome, record_with_sacred

CONFIG = {
    "name": "qmix",
    "mixer": "qmix",
    "seed": 3,
    "lr": 5e-4,
    "t_max": 1000,
    "use_cuda": False,
    "label": "",
    "mongo_database": "cohort",
    "env_args": {"map_name": "3m", "sizes": [1, 2], "none": None},
}


HERE = Path(__file__)
ORIGIN = Origin(
    HERE.parent,
    HERE,
    (HERE,),
    ({"url": "git:/here", "commit": "abc", "dirty": True},),
    ("numpy==2.0",),
    {"cpu": "a CPU", "gpus": {"gpus": [{"model": "a GPU"}]}},
)


def record_run(
    work: Callable[[Recorder], None],
    folder: RunFolder,
    target: MongoTarget | None,
    said: list[str],
    *,
    beat: float = 0.05,
    resumed: dict[str, Any] | None = None,
) -> SacredOutcome:
    """A session as `cohort.session` records it, whose training loop is `work`."""
    console = Console(io.StringIO())
    others: list[Mirror] = []

    def run(sacred: Mirror) -> dict[str, float]:
        with Recorder(folder, console, Progress(console, 1000), [sacred, *others]) as recorder:
            if resumed is not None:
                recorder.load_state_dict(resumed)
            work(recorder)
            return recorder.results()

    folder.config.write_text("name: qmix\n")
    with mirrored_to_mongo(target, folder, said.append, beat) as mirrors:
        others.extend(mirrors)
        return record_with_sacred(
            run, config=CONFIG, folder=folder, command="python run.py", name="qmix", t_max=1000, report=said.append,
            earlier_seconds=resumed["wall_time"] if resumed else 0.0, origin=ORIGIN,
        )  # fmt: skip


def log(recorder: Recorder, *steps: int) -> None:
    for step in steps:
        recorder.log(step, step, step, {"return_mean": step / 7, "loss": float(step)})


def assert_equal(database: Any, folder: RunFolder, session: int = 1) -> dict[str, Any]:
    """Compare what a reader of the database finds with the run's folder, by the files' own text."""
    sacred = folder.sacred / str(session)
    file = json.loads((sacred / "run.json").read_text())
    found = database.runs.find({"meta.run_folder": folder.name, "meta.session": session})
    start = file["start_time"][:23]
    (run,) = [one for one in found if one["start_time"].isoformat(timespec="milliseconds") == start]
    assert run["config"] == json.loads((sacred / "config.json").read_text())
    assert_sources(database, run, file["experiment"].pop("sources"), folder)
    for key in ("status", "result", "host", "experiment", "meta", "command"):
        assert json.dumps(run.get(key)) == json.dumps(file.get(key)), key  # as text: NaN is NaN
    for key in ("start_time", "stop_time", "heartbeat"):
        assert run[key].isoformat(timespec="milliseconds") == file[key][:23], key
    records = read_metrics(folder.metrics)
    assert_metrics(database, run, records)
    assert {one["name"] for one in run["artifacts"]} == set(file["artifacts"])
    for artifact in run["artifacts"]:
        chunks = database["fs.chunks"].find({"files_id": artifact["file_id"]}).sort("n", 1)
        assert b"".join(chunk["data"] for chunk in chunks) == (sacred / artifact["name"]).read_bytes()
    return run


def assert_sources(database: Any, run: dict[str, Any], files: list[list[str]], folder: RunFolder) -> None:
    """The database has the copies that lie in Sacred's folder."""
    for (name, number), (expected, copy) in zip(run["experiment"].pop("sources"), files, strict=True):
        assert name == expected
        assert GridFS(database).get(number).read() == (folder.sacred / copy).read_bytes()


def assert_metrics(database: Any, run: dict[str, Any], records: list[Record]) -> None:
    stored = {one["name"]: one for one in database.metrics.find({"run_id": run["_id"]})}
    assert set(stored) == {name for record in records for name in record.metrics}
    assert {key for key in run["info"] if not key.endswith("_T")} == {*stored, "metrics"}
    assert run["info"]["metrics"] == [
        {"name": name, "id": str(stored[name]["_id"])} for name in sorted(stored)
    ]
    for name, one in stored.items():
        steps, values = series(records, name)
        assert one["steps"] == steps.tolist()
        assert list(map(repr, one["values"])) == list(map(repr, values.tolist()))
        times = [(moment - run["start_time"]).total_seconds() for moment in one["timestamps"]]
        earlier = run["meta"]["earlier_seconds"]
        expected = [record.wall_time - earlier for record in records if name in record.metrics]
        assert times == pytest.approx(expected, abs=0.002)
