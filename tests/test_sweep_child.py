"""How the process of one run finds out what is left to do."""

import fcntl
import json
import os
import threading

import pytest
import yaml

from cohort import sweep_child
from cohort.recording.checkpoints import save_atomically
from cohort.sweep.processes import Ending
from cohort.sweep.task import BUSY, Task


@pytest.fixture
def task(tmp_path):
    """A run of 100 steps whose folder holds a configuration and nothing else."""
    folder = tmp_path / "vdn__x"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"t_max": 100}))
    return Task(
        ("--config=vdn", "with", "seed=3"), str(folder), str(tmp_path / "output"), str(tmp_path / ".old")
    )


def left(task, state="RUNNING", t_env=0, checkpoint=None):
    """What a session of the run left behind."""
    folder = sweep_child.Path(task.folder)
    (folder / "status.json").write_text(
        json.dumps({"state": state, "t_env": t_env, "pid": 2**22, "host": "elsewhere"})
    )
    if checkpoint is not None:
        save_atomically({"recorder": {"t_env": checkpoint}}, folder / "checkpoint.pt")


def test_a_run_without_a_folder_begins(task, tmp_path):
    assert sweep_child._words_to_go_on(Task(task.words, None, task.output, task.superseded)) == [*task.words]
    gone = str(tmp_path / "gone")
    assert sweep_child._words_to_go_on(Task(task.words, gone, task.output, task.superseded)) == [*task.words]


@pytest.mark.parametrize(
    ("state", "t_env", "checkpoint"),
    [
        *(("TERMINATED", 40, 40), ("RUNNING", 90, 60), ("RUNNING", 100, 60), ("FAILED", 40, 20)),
        *(("RUNNING", 100, 100), ("INTERRUPTED", 104, 104)),
    ],
)
def test_a_run_with_a_checkpoint_goes_on(task, state, t_env, checkpoint):
    """Also where nothing but its record is left to be closed."""
    left(task, state, t_env, checkpoint)
    assert sweep_child._words_to_go_on(task) == [f"--resume={task.folder}"]


@pytest.mark.parametrize(
    ("state", "t_env", "checkpoint"),
    [("COMPLETED", 100, 100), ("COMPLETED", 0, None)],
)
def test_nothing_is_left_to_do_once_all_is_saved(task, state, t_env, checkpoint):
    """Also after an evaluation."""
    left(task, state, t_env, checkpoint)
    assert sweep_child._words_to_go_on(task) is None


@pytest.mark.parametrize("known", [True, False])
def test_a_run_without_a_checkpoint_begins_anew_and_its_beginning_is_kept_aside(task, known, tmp_path):
    if known:
        left(task, "RUNNING", 40)
    assert sweep_child._words_to_go_on(task) == [*task.words]
    assert not os.path.exists(task.folder)
    (aside,) = (tmp_path / ".old").iterdir()
    assert aside.name.startswith("vdn__x.")
    assert (aside / "config.yaml").is_file()


def test_a_predecessor_is_waited_for(task, monkeypatch, capsys):
    monkeypatch.setattr(sweep_child, "_end_with", lambda parent: None)
    with open(task.output, "ab") as predecessor:
        fcntl.flock(predecessor, fcntl.LOCK_EX)
        monkeypatch.setattr(sweep_child, "PREDECESSOR_SECONDS", 0.05)
        assert sweep_child.main(task, 0) == BUSY
        assert "still going" in capsys.readouterr().err
        assert os.path.isdir(task.folder), "nothing was touched"
        monkeypatch.setattr(sweep_child, "PREDECESSOR_SECONDS", 60)
        threading.Timer(0.1, fcntl.flock, (predecessor, fcntl.LOCK_UN)).start()
        lock = sweep_child._locked(sweep_child.Path(task.output))
        with open(task.output, "ab") as successor, pytest.raises(BlockingIOError):
            fcntl.flock(successor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.close()
    assert Ending(0, BUSY).interrupted
