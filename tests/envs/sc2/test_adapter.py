"""`StarCraft2` over the stand-in for the game: oxwhirl's smac in worker processes, beside `SC2Sim`."""

import functools
import socket
import tempfile
from pathlib import Path

import pytest
import torch

from cohort.components.seeding import derive_seed
from cohort.envs.sc2 import env as sc2_env
from cohort.envs.sc2.env import StarCraft2
from cohort.envs.sc2.settings import StarCraft2Settings
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.workers.game import Limits
from cohort.envs.workers.pool import GameFailure
from tests.envs.sc2.stand_in_installation import launches, make_installation, missing_packages

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason=missing_packages())
SEED = 5


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """Call it with knobs to set how processes behave that start from now on; its folder is SC2PATH."""
    folder = tmp_path / "game"
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def install(**knobs) -> Path:
        monkeypatch.setenv("SC2PATH", make_installation(folder, **knobs)["SC2PATH"])
        return folder

    install()
    yield install
    assert not any(map(alive, launches(folder))), "a game outlives its environment"
    assert not list((tmp_path / "tmp").iterdir()), "a temporary folder is left"


def build(batch_size: int = 1, **settings) -> StarCraft2:
    return StarCraft2(StarCraft2Settings(**{"map_name": "3m"} | settings), batch_size=batch_size, seed=SEED)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def port(pid: int) -> int:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return int(words[words.index("-port") + 1])


def listening(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


def simulator(game: int, episode: int, **settings) -> SC2Sim:
    """The battles that the stand-in plays in a process that was launched for this episode of this game."""
    seed = derive_seed(SEED, f"game {game}/episode {episode}") % 2**32
    return SC2Sim(SC2SimSettings(**{"map_name": "3m"} | settings), batch_size=1, seed=seed)


def choose(available: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Attack what can be attacked, else act at random."""
    scores = torch.rand(available.shape, generator=generator)
    scores[..., 6:] += 1
    return scores.masked_fill(~available, -1).argmax(-1)


def assert_alike(observation, simulated: list) -> None:
    for name in observation._fields:
        ours = torch.cat([getattr(each, name) for each in simulated])
        assert torch.allclose(getattr(observation, name).float(), ours.float(), atol=1e-5), name


def play_beside(env: StarCraft2, simulators: list[SC2Sim], generator: torch.Generator):
    """One episode of both; they must agree in everything. The last transition."""
    observation, simulated = env.reset(), [each.reset() for each in simulators]
    while True:
        assert_alike(observation, simulated)
        actions = choose(observation.available_actions, generator)
        ours = env.step(actions)
        theirs = [each.step(actions[[row]]) for row, each in enumerate(simulators)]
        observation, simulated = ours.observation, [each.observation for each in theirs]
        for name in ("reward", "terminated", "truncated"):
            expected = torch.cat([getattr(each, name) for each in theirs])
            assert torch.allclose(getattr(ours, name).float(), expected.float(), atol=1e-5), name
        for name, value in ours.info.items():
            assert value.tolist() == [each.info[name].item() for each in theirs]
        if (ours.terminated | ours.truncated).all():
            assert_alike(observation, simulated)
            return ours


def test_it_is_smac_in_every_row_and_episode(installation, tmp_path):
    folder = installation()
    generator = torch.Generator().manual_seed(1)
    with build(2) as env:
        simulators = [simulator(row, 0) for row in range(2)]
        assert env.spec == simulators[0].spec
        assert env.facts() == {"sc2_base_build": 75689, "smac": "1.0.0"}
        assert launches(folder) == []
        first = play_beside(env, simulators, generator)
        second = play_beside(env, simulators, generator)
        assert len(launches(folder)) == 2
        assert not torch.equal(first.observation.state[0], first.observation.state[1])
        assert not torch.equal(first.observation.state, second.observation.state)
        assert env.metrics() == {"game_restarts": 0.0, "spoiled_episodes": 0.0}
        replays = env.save_replay(tmp_path / "replays")
        assert [path.parent.name for path in replays] == ["replays"] * 2
        assert all(path.read_bytes().startswith(b"replay of SMAC_Maps/3m") for path in replays)
        ports = [port(pid) for pid in launches(folder)]
        assert all(map(listening, ports))
    assert not any(map(listening, ports))


def test_games_that_break_off_begin_anew_in_new_processes(installation):
    """A crash, an end when some have died, a stop, and a reset without an answer, one launch after the other.

    The unit tags are the same in every process: smac's own reset after the end would never return. What is played
    after all that is what a first process would play, smac's scale of rewards included.
    """
    options = {"obs_timestep_number": True, "obs_last_action": True, "continuing_episode": True}
    launches_to_come = [
        {"fault": "exit", "fault_count": 2},
        {"fault": "ended", "fault_count": 16},
        {"fault": "stop", "fault_count": 3},
        {"fault": "hang", "fault_request": "debug"},
        {},
    ]
    broken = len(launches_to_come) - 2
    generator = torch.Generator().manual_seed(2)
    folder = installation(repeat_tags=True, **launches_to_come[0])
    with build(step_seconds=3.0, reset_seconds=3.0, **options) as env:
        for number in range(1, broken + 1):
            observation = env.reset()
            installation(repeat_tags=True, **launches_to_come[number])
            while not (transition := env.step(choose(observation.available_actions, generator))).truncated:
                observation = transition.observation
                assert not transition.terminated.item()
            assert transition.spoiled.item()
            assert transition.reward.item() == 0
            assert env.metrics() == {"game_restarts": number, "spoiled_episodes": number}
        play_beside(env, [simulator(0, broken, **options)], generator)
        installation()
        play_beside(env, [simulator(0, broken + 1, **options)], generator)
        assert len(launches(folder)) == len(launches_to_come)
        assert env.metrics() == {"game_restarts": broken + 1, "spoiled_episodes": broken}


def test_a_game_that_cannot_be_launched_ends_the_run(installation, monkeypatch):
    monkeypatch.setattr(sc2_env, "Limits", functools.partial(Limits, pause=0.0, attempts=2))
    folder = installation(fault="no_launch")
    words = (
        r"StarCraft II could not be started 2 times in a row: (.|\n)*Failed to connect to the SC2 websocket"
    )
    with build() as env, pytest.raises(GameFailure, match=words):
        env.reset()
    assert len(launches(folder)) == 2
