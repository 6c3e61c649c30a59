"""Checkpoints survive kills, refuse strangers, and say what is wrong; models are found again."""

import collections
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cohort.errors import UserError
from cohort.recording.checkpoints import load_checkpoint, save_atomically
from cohort.recording.models import find_model, save_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pt"


def test_state_of_a_run_comes_back_exactly(path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    generator = torch.Generator().manual_seed(5)
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generator": generator.get_state(),
        "numbers": [1, 0.1, float("inf"), True, None, "text", (2, 3)],
        "by_step": {7: torch.tensor([1, 2], dtype=torch.int8)},
        "dtype": torch.bfloat16,
    }
    save_atomically(state, path)
    drawn = torch.rand(5, generator=generator)
    loaded = load_checkpoint(path)
    again = torch.Generator()
    again.set_state(loaded["generator"])
    assert torch.equal(torch.rand(5, generator=again), drawn)
    assert loaded["numbers"] == state["numbers"]
    assert loaded["dtype"] is torch.bfloat16
    assert torch.equal(loaded["by_step"][7], state["by_step"][7])
    assert all(torch.equal(loaded["network"][key], value) for key, value in network.state_dict().items())
    other = torch.optim.Adam(torch.nn.Linear(3, 2).parameters())
    other.load_state_dict(loaded["optimiser"])
    assert [child.name for child in path.parent.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (np.float64(0.5), "float64"),
        (np.zeros(2), "ndarray"),
        (Path("x"), "Path"),
        (collections.deque([1]), "deque"),
        (torch.Generator(), "Generator"),
    ],
)
def test_what_could_not_be_loaded_is_refused_when_saving(path: Path, value: object, name: str) -> None:
    save_atomically({"n": 1}, path)
    with pytest.raises(TypeError, match=rf"state\['a'\]\[1\] is a .*{name}"):
        save_atomically({"a": [0, value]}, path)
    assert load_checkpoint(path) == {"n": 1}


def test_missing_checkpoint_names_what_is_there(path: Path) -> None:
    (path.parent / "config.yaml").touch()
    with pytest.raises(UserError, match=r"no checkpoint at .*config\.yaml"):
        load_checkpoint(path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_torn_checkpoint_is_reported_on_one_screen(path: Path, keep: float) -> None:
    save_atomically({"weights": torch.randn(1000)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(UserError, match="damaged") as error:
        load_checkpoint(path)
    assert len(str(error.value)) < 1000


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of a stranger ran",)


def test_foreign_files_are_refused_and_run_no_code(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="not one that this program saved"):
        load_checkpoint(path)
    torch.save(_Trap(), path)
    with pytest.raises(UserError, match="more than plain data"):
        load_checkpoint(path)
    save_atomically({"n": 1}, path, kind="model")
    with pytest.raises(UserError, match="holds a model, and a checkpoint is needed"):
        load_checkpoint(path)
    torch.save({"format": "cohort", "kind": "checkpoint", "version": 99, "state": {}}, path)
    with pytest.raises(UserError, match="version 99"):
        load_checkpoint(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_kill_before_the_new_file_is_in_place_leaves_the_old_one(path: Path, child, moment: str) -> None:
    save_atomically({"n": 1}, path)
    killed = child(
        """
        import os, signal, sys
        from pathlib import Path
        import torch
        from cohort.recording.checkpoints import save_atomically
        setattr(os, sys.argv[2], lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
        save_atomically({"n": 2, "much": torch.zeros(100_000)}, Path(sys.argv[1]))
        """,
        path,
        moment,
    )
    assert killed.wait(timeout=30) == -signal.SIGKILL
    assert len(list(path.parent.iterdir())) == 2, "the kill left its temporary file"
    assert load_checkpoint(path) == {"n": 1}
    save_atomically({"n": 3}, path)
    assert list(path.parent.iterdir()) == [path], "the next save removed it"
    assert load_checkpoint(path) == {"n": 3}


def test_kill_at_any_moment_leaves_a_whole_file(path: Path, child) -> None:
    for _ in range(2):
        path.unlink(missing_ok=True)
        saver = child(
            """
            import itertools, sys
            from pathlib import Path
            import torch
            from cohort.recording.checkpoints import save_atomically
            for n in itertools.count(1):
                save_atomically({"n": n, "much": torch.full((300_000,), n)}, Path(sys.argv[1]))
            """,
            path,
        )
        until = time.monotonic() + 20
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(random.uniform(0.1, 0.4))
        saver.kill()
        saver.wait()
        state = load_checkpoint(path)
        assert state["n"] > 1
        assert torch.equal(state["much"], torch.full((300_000,), state["n"]))


def test_failing_save_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_atomically({"n": 1}, path)

    def full(content: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_atomically({"n": 2}, path)
    assert load_checkpoint(path) == {"n": 1}
    assert list(path.parent.iterdir()) == [path]


def test_models_are_found_by_run_folder_models_folder_and_step(tmp_path: Path) -> None:
    models = tmp_path / "run" / "models"
    for step in (1000, 20_000, 3000):
        assert save_model({"step": step}, models, step) == models / str(step) / "learner.pt"
    (models / "30000").mkdir()  # killed before anything was saved in it
    for place in (tmp_path / "run", models):
        assert find_model(place, 0) == (models / "20000" / "learner.pt", 20_000)
        assert find_model(place, 2500) == (models / "3000" / "learner.pt", 3000)
        assert find_model(place, 10**9)[1] == 20_000
    path, step = find_model(models / "1000", 0)
    assert step == 1000
    assert load_checkpoint(path, kind="model") == {"step": 1000}


def test_missing_models_name_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(UserError, match=r"config\.yaml"):
        find_model(tmp_path, 0)
    with pytest.raises(UserError, match="no such folder"):
        find_model(tmp_path / "nowhere", 0)
