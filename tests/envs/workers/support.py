"""What the tests of worker processes share."""

import time
from contextlib import contextmanager
from pathlib import Path

import torch

from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.game import Limits, Recipe
from tests.envs.workers.games import Script

QUICK = Limits(start=30.0, reset=30.0, step=1.5, close=5.0, pause=0.0)


def build(batch_size=5, seed=1, limits=QUICK, game="Walk", recipe=None, **script) -> WorkerEnv:
    settings = Script(**script) if game == "Walk" else None
    recipe = {"settings": settings, "title": "the walk"} | (recipe or {})
    recipe = Recipe(f"tests.envs.workers.games:{game}", **recipe)
    return WorkerEnv(recipe, batch_size=batch_size, seed=seed, limits=limits)


def actions_of(batch_size: int = 5, **rows: int) -> torch.Tensor:
    """Nothing but for `rowI=action`."""
    actions = torch.zeros((batch_size, 2), dtype=torch.int64)
    for row, action in rows.items():
        actions[int(row.removeprefix("row")), 0] = action
    return actions


def alive(pid: int) -> bool:
    """Whether a process runs; the dead whom nobody has buried do not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def pids(env: WorkerEnv) -> set[int]:
    """Workers and what they have started, from their facts."""
    return {int(word) for word in str(env.facts()["pids"]).replace(",", "").split()}


@contextmanager
def leaves_nothing(folders: Path):
    """A list to be filled with process ids, none of which may run afterwards; no folder may be left."""
    seen: set[int] = set()
    yield seen
    assert seen
    wait_until(lambda: not any(map(alive, seen)))
    wait_until(lambda: not list(folders.iterdir()))
