"""Workers that die, hang, raise or are orphaned: what is lost, and that nothing is left."""

import gc
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.game import Limits
from cohort.envs.workers.pool import GameFailure
from cohort.errors import UserError
from tests.envs.test_contract import play, snapshot
from tests.envs.workers.games import FAULTS, HANG, KILL, LOSE, NOTHING, POISONS, SLOW, STUBBORN
from tests.envs.workers.support import actions_of, alive, build, leaves_nothing, pids, wait_until

ROOT = Path(__file__).parents[3]


def two_episodes(env: WorkerEnv, first_actions: torch.Tensor) -> list:
    """All that can be seen of an episode with special actions in its second step, and of the first step of another."""
    observation, nothing = env.reset(), torch.zeros_like(first_actions)
    seen = [env.step(nothing), env.step(first_actions), *(env.step(nothing) for _ in range(5))]
    return [seen, (observation, env.reset()), env.step(nothing)]


def test_games_that_break_off_spoil_their_own_episodes_only(folders):
    """One game for each way to break off, between two that play on as if nothing had happened."""
    rows = {f"row{row}": fault for row, fault in enumerate(FAULTS.values(), start=1)}
    size, broken, sound = len(rows) + 2, slice(1, -1), [0, len(rows) + 1]
    with build(size) as env:
        expected, starts, after = two_episodes(env.sharing_workers(3), actions_of(size))
        seen, starts_again, after_again = two_episodes(env.sharing_workers(3), actions_of(size, **rows))
        metrics = env.metrics()
    for step, (ours, theirs) in enumerate(zip(seen, expected, strict=True), start=1):
        for mine, other in zip(snapshot(ours), snapshot(theirs), strict=True):
            assert torch.equal(mine[sound], other[sound])
        assert ours.spoiled[broken].all() == ours.spoiled[broken].any() == (step >= 2)
        assert not ours.spoiled[sound].any()
        assert torch.equal(ours.truncated, ours.spoiled)
        assert not ours.terminated[broken].any()
        assert step < 2 or ours.observation.available_actions[broken].all()
        assert torch.isfinite(ours.observation.obs).all()
        if step >= 2:
            assert (ours.reward[broken] == 0).all()
            assert all(
                torch.equal(a[broken], b[broken])
                for a, b in zip(snapshot(ours), snapshot(seen[-1]), strict=True)
            )
    assert metrics == {"game_restarts": len(rows), "spoiled_episodes": len(rows)}
    for ours, theirs in zip(starts_again, starts, strict=True):
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(snapshot(after_again), snapshot(after), strict=True))
    assert not after_again.spoiled.any()
    assert not list(folders.iterdir())


def test_the_dead_and_the_hung_leave_no_process_and_no_folder(folders):
    with leaves_nothing(folders) as seen, build(4, children=1) as env:
        env.reset()
        seen |= pids(env)
        assert len(seen) == 4 * 2
        env.step(actions_of(4, row0=KILL, row1=HANG, row2=STUBBORN))
        survivors = pids(env)
        assert len(survivors) == 2
        # SIGKILL has been sent; on a busy machine it is delivered a little later
        wait_until(lambda: not any(alive(pid) for pid in seen - survivors))
        assert len(list(folders.iterdir())) == 1
        env.reset()
        seen |= pids(env)
        assert len(seen) == 4 * 2 + 3 * 2


def test_a_reset_that_fails_is_tried_again_in_a_new_process(tmp_path):
    refusals = tmp_path / "refusals"
    with build(1, refusals=refusals) as env:
        env.reset()
        refusals.write_text("2")
        assert not env.step(actions_of(1)).spoiled.any()
        assert env.reset().obs[0, 0, 1] == 0
        assert env.metrics() == {"game_restarts": 2.0, "spoiled_episodes": 0.0}
        refusals.write_text("3")
        with pytest.raises(
            GameFailure, match=r"walk could not be started 3 times in a row: (.|\n)*not today"
        ):
            env.reset()
        with pytest.raises(RuntimeError, match="reset"):
            env.step(actions_of(1))


def test_games_that_break_off_every_time_end_the_run():
    with build(2, limits=Limits(step=5, spoiled_in_a_row=3)) as env:
        for fault in (LOSE, LOSE, NOTHING, LOSE, LOSE, LOSE):
            env.reset()
            env.step(actions_of(2, row1=fault))
            play(env, 5, observation=None) if fault == NOTHING else None
        with pytest.raises(GameFailure, match=r"3 episodes in a row\. The last time: the other side hung up"):
            env.reset()


@pytest.mark.parametrize(
    ("broken", "words"), [("build", "there is no such game"), ("shape", r"shows an array \(2, 2\)")]
)
def test_a_game_with_a_mistake_is_quoted(broken, words, folders):
    with pytest.raises(GameFailure, match=words), build(1, broken=broken) as env:
        env.reset()
    assert not list(folders.iterdir())


def test_a_sentence_for_the_user_comes_alone(folders):
    with (
        pytest.raises(UserError, match=r"^type env_args\.time_limit=<steps>$"),
        build(1, broken="refused") as env,
    ):
        env.reset()
    assert not list(folders.iterdir())


@pytest.mark.parametrize("poison", POISONS)
def test_what_is_not_finite_spoils_the_episode_and_is_named(poison):
    with build(2, poison=poison) as env:
        for _ in range(5):
            env.reset()
            assert not env.step(actions_of(2)).spoiled.any()
            played = env.step(actions_of(2))
            assert played.spoiled.all()
            assert all(bool(tensor.isfinite().all()) for tensor in (played.observation.obs, played.reward))
        with pytest.raises(GameFailure, match=f"its {poison} at step 2 is not finite: (nan|inf)"):
            env.reset()


def test_what_a_dead_process_said_last_is_quoted():
    limits = Limits(spoiled_in_a_row=1)
    with build(1, limits=limits) as env:
        env.reset()
        env.step(actions_of(1, row0=FAULTS["exits"]))
        with pytest.raises(GameFailure, match=r"status 3(.|\n)*last words"):
            env.reset()


def test_a_worker_that_dies_between_two_steps_spoils_its_episode_too():
    with build(2) as env:
        env.reset()
        groups = [int(answer.split()[0]) for answer in str(env.facts()["pids"]).split(", ")]
        os.kill(groups[0], signal.SIGKILL)
        assert len(pids(env)) == 1
        for _ in range(2):
            assert env.step(actions_of(2)).spoiled.tolist() == [True, False]
        assert env.metrics() == {"game_restarts": 1.0, "spoiled_episodes": 1.0}
        os.kill(groups[1], signal.SIGKILL)
        assert env.step(actions_of(2)).spoiled.tolist() == [True, True]
        env.reset()
        assert len(pids(env)) == 2
        assert env.metrics() == {"game_restarts": 2.0, "spoiled_episodes": 2.0}


def test_an_interrupt_from_the_keyboard_is_not_the_workers_to_answer(walkers):
    walkers.reset()
    before = pids(walkers)
    for pid in before:
        os.kill(pid, signal.SIGINT)
    assert not walkers.step(actions_of()).spoiled.any()
    assert pids(walkers) == before


@contextmanager
def interrupted_after(seconds: float):
    """What a Ctrl-C does after some time."""

    def interrupt(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_an_interrupt_does_not_confuse_what_follows(folders):
    with leaves_nothing(folders) as seen, build(2, limits=Limits()) as env:
        env.reset()
        with interrupted_after(0.15):
            env.step(actions_of(2, row0=SLOW, row1=SLOW))
        with pytest.raises(RuntimeError, match="reset"):
            env.step(actions_of(2))
        env.reset()
        env.step(actions_of(2, row0=KILL))
        with interrupted_after(0.02):
            env.reset()  # while a new process starts
        for _ in range(2):
            assert env.reset().obs[:, 0, 1].tolist() == [0, 0]
            assert env.step(actions_of(2)).observation.obs[:, 0, 1].tolist() == [1, 1]
        seen |= pids(env)


def test_closing_ends_everything_and_can_be_repeated(folders):
    with leaves_nothing(folders) as seen:
        env = build(2, children=1)
        sharing_workers = env.sharing_workers(2)
        env.reset()
        seen |= pids(env)
        children = [pid for pid in seen if "sleep" in Path(f"/proc/{pid}/cmdline").read_text()]
        assert len(children) == 2
        for pid in children:
            held = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
            assert not any("socket" in name or "memfd" in name for name in held)
        env.close()
        env.close()
        sharing_workers.close()
        for call in (env.reset, sharing_workers.reset, env.facts, lambda: env.step(actions_of(2))):
            with pytest.raises(RuntimeError, match="closed"):
                call()


def test_an_environment_that_is_forgotten_ends_its_processes(folders):
    with leaves_nothing(folders) as seen:
        env = build(1, children=1)
        env.reset()
        seen |= pids(env)
        del env
        gc.collect()


# without torch, which takes seconds to import
PARENT = """
import signal, sys, tempfile
import numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
tempfile.tempdir = sys.argv[1]
from cohort.envs.workers.game import Limits, Recipe
from cohort.envs.workers.pool import Pool
from tests.envs.workers.games import Script
pool = Pool(Recipe("tests.envs.workers.games:Walk", Script(children=1, limit=10**9)), 2, Limits())
player = type("Player", (), {})()
pool.reset([1, 2], player)
print(pool.facts()["pids"].replace(",", ""), flush=True)
while True:
    pool.step(np.zeros((2, 2)), player)
"""


@pytest.fixture
def parent(folders):
    """A process that plays on and on, and the ids of its workers and of what these have started."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folders)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    ) as running:  # fmt: skip
        yield running, list({int(word) for word in running.stdout.readline().split()})
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_leaves_nothing(parent, folders, number):
    running, started = parent
    with leaves_nothing(folders) as seen:
        seen |= set(started)
        assert all(map(alive, seen))
        os.kill(running.pid, number)


def test_all_python_processes_killed_at_once_leave_nothing(parent, folders):
    """What `killall -9 python` does: nobody of ours is left to end the games but the guards."""
    running, started = parent
    workers = [pid for pid in started if "worker" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(workers) == 2
    with leaves_nothing(folders) as seen:
        seen |= set(started)
        for pid in [running.pid, *workers]:
            os.kill(pid, signal.SIGSTOP)
        for pid in [running.pid, *workers]:
            os.kill(pid, signal.SIGKILL)


def test_an_interrupt_of_the_whole_foreground_group_ends_everything(parent, folders):
    running, started = parent
    with leaves_nothing(folders) as seen:
        seen |= set(started)
        os.killpg(running.pid, signal.SIGINT)
        assert "KeyboardInterrupt" in running.communicate(timeout=20)[1]
