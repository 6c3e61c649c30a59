"""What a replay memory takes of the machine's: what it says, no more while it fills, wraps, and is saved."""

import re
import subprocess
import sys

import pytest
import torch

from cohort.components.rows import RowField, RowRing
from cohort.recording.checkpoints import load_checkpoint, save_atomically
from tests.harness import ROOT

FIELDS = {
    "obs": RowField((3, 5), torch.float16, torch.float32),
    "wide": RowField((2,), torch.bfloat16, torch.float32),
    "nothing": RowField((2, 0), torch.float32, torch.float32),
    "terminated": RowField((), torch.bool, torch.bool),
}
FILL = """
import re, sys, torch
from pathlib import Path
from cohort.components.process import prepare_process
from cohort.components.replay import Replay, ReplaySettings
from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.recording.checkpoints import save_atomically
prepare_process(1)

def peak():  # GB; getrusage would count the program that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024 / 1e9

spec = EnvSpec(n_agents=8, n_actions=14, obs_dim=100, state_dim=200, episode_limit=60)
settings = ReplaySettings(buffer_size=2500, buffer_dtype="float16", buffer_cpu_only=False, standardise_rewards=False)
parts = {"device": torch.device("cpu"), "generator": torch.Generator()}
memory = Replay(settings, unit="episodes", spec=spec, extras={}, **parts)
print(memory.describe())
ends = torch.zeros(32, 60, dtype=torch.bool)
episodes = Episodes(
    obs=torch.rand(32, 61, 8, 100), state=torch.rand(32, 61, 200),
    available_actions=torch.ones(32, 61, 8, 14, dtype=torch.bool), actions=torch.zeros(32, 60, 8, dtype=torch.int64),
    reward=torch.zeros(32, 60), terminated=ends, truncated=ends, length=torch.full((32,), 60),
)
for added in range(100):
    memory.add(episodes)
    memory.sample(32)
    if added in (40, 99):
        save_atomically({"replay": memory.state_dict()}, Path(sys.argv[1]))
    if added == 10:
        print(peak())
print(peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_process_never_takes_more_than_was_said(tmp_path):
    words = [sys.executable, "-c", FILL, str(tmp_path / "checkpoint.pt")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT / "src")
    said, early, peak = done.stdout.splitlines()
    ring, before, at_most = map(float, re.findall(r"(\d+\.\d+) GB", said))
    assert at_most == pytest.approx(before + ring, abs=0.02)
    assert ring > 0.3
    assert float(early) < before + 0.5 * ring  # a ninth of it is filled
    assert 0.9 * at_most < float(peak) < 1.15 * at_most


def ring(most_rows=10):
    return RowRing(FIELDS, most_rows=most_rows, device=torch.device("cpu"))


def rows(first, count):
    numbers = torch.arange(first, first + count)
    return {
        "obs": numbers.view(-1, 1, 1).expand(-1, 3, 5),
        "wide": numbers.view(-1, 1).expand(-1, 2),
        "nothing": torch.zeros(count, 2, 0),
        "terminated": numbers % 3 == 0,
    }


def held(of, tail):
    places = torch.arange(tail, of.head) % of.capacity
    return {name: of.read(name, places, torch.device("cpu")) for name in FIELDS}


@pytest.mark.parametrize("added", [4, 10, 17], ids=["in part", "just full", "wrapped"])
@pytest.mark.parametrize("pieces", [True, False], ids=["pieces", "one, as programs before"])
def test_a_saved_ring_is_the_same_again(added, pieces, tmp_path):
    saved, tail = ring(), max(0, added - 10)
    for first in range(added):
        saved.append(rows(first, 1), tail=max(0, first - 9))
    state = saved.state_dict(tail=tail)
    if not pieces:
        state["rows"] = {name: torch.cat(each) for name, each in state["rows"].items()}
    save_atomically({"ring": state}, tmp_path / "checkpoint.pt")
    restored = ring()
    restored.load_state_dict(load_checkpoint(tmp_path / "checkpoint.pt")["ring"], tail=tail)
    for name, values in held(restored, tail).items():
        assert torch.equal(values, held(saved, tail)[name])
        assert torch.equal(values.float(), rows(tail, added - tail)[name].float())


def test_a_state_is_the_rows_themselves_and_no_more():
    saved = ring(1000)
    saved.append(rows(0, 7), tail=0)
    (piece,) = saved.state_dict(tail=2)["rows"]["obs"]
    assert piece.untyped_storage().nbytes() == 5 * 15 * 2
    assert piece.data_ptr() == saved._rows["obs"][2].data_ptr()


def test_a_ring_that_the_system_does_not_promise_grows_as_it_must(monkeypatch):
    small, allocate = ring(10**6), RowRing._allocate

    def refusing(self, name, capacity):
        if capacity == 10**6:
            raise RuntimeError("not enough memory")
        return allocate(self, name, capacity)

    monkeypatch.setattr(RowRing, "_allocate", refusing)
    for first in range(0, 9000, 1000):
        small.append(rows(first, 1000), tail=0)
    assert 9000 <= small.capacity < 10**6
    assert torch.equal(held(small, 0)["terminated"], rows(0, 9000)["terminated"])
