"""oxwhirl's smac takes the stand-in for the game."""

import os
from pathlib import Path

import pytest

from tests.envs.sc2.stand_in_client import Apart, gone, smac, stop_all
from tests.envs.sc2.stand_in_installation import BUILD_4_6_2, BUILD_4_10, launches, missing_packages, requests

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason=missing_packages())


@pytest.fixture(scope="module")
def apart():
    """Calls a function of this file in a process that can load s2clientprotocol."""
    apart = Apart()
    yield apart
    apart.close()


def _two_episodes(folder):
    builds = (BUILD_4_6_2, BUILD_4_10)
    with smac(folder, log_requests=True, builds=builds, sc2={"game_version": "4.6.2"}) as env:
        env.reset()
        stop_all(env)
        env._episode_count = 1  # as after an episode's end
        env.reset()
        env.save_replay()
        static = env._controller.data()  # as the renderer does
        assert static.unit_stats[2005].movement_speed == 2.25
        assert sorted(static.abilities) == [4, 16, 23, 386]
        command = Path(f"/proc/{env._sc2_proc.pid}/cmdline").read_text().split("\0")
        temporary = len(os.listdir(folder / "tmp"))
    return command, temporary, os.listdir(folder / "tmp"), os.listdir(folder / "Replays")


def test_smac_asks_what_it_asks_the_game_and_leaves_nothing_behind(apart, tmp_path):
    command, temporary, left, replays = apart(_two_episodes, tmp_path)
    assert command[1].endswith("Versions/Base69232/SC2_x64")
    assert "-dataVersion" in command
    asked = [
        request for request in requests(tmp_path) if not request.startswith("quit")
    ]  # killed before it reads
    assert [request.split()[0] for request in asked] == [
        *("ping", "create_game", "join_game", "game_info", "observation"),
        *("action", "step", "observation"),
        *("debug", "step", "observation"),
        *("save_replay", "data"),
    ]
    assert "random_seed: 7" in asked[1]
    assert [request for request in asked if request.startswith("step")] == ["step count: 8", "step count: 2"]
    assert (temporary, left, len(replays)) == (1, [], 1)
    assert gone(launches(tmp_path))


def _crash(folder, knobs, steps):
    """What the steps bring, forced restarts, the reward of a won battle and the health in the next one."""
    with smac(folder, **knobs) as env:
        env.reset()
        told = [stop_all(env) for _ in range(steps)]
        env._episode_count = 1  # as after an episode's end
        env.reset()
        return told, env.force_restarts, env.max_reward, [unit.health for unit in env.agents.values()]


@pytest.mark.parametrize("fault", ["exit", "ended"])
def test_smac_starts_a_new_game_when_one_breaks_off(apart, tmp_path, fault):
    knobs = {"fault": fault, "fault_count": 3, "fault_launches": (1,)}
    # `ended` shows in the status of an answer, so it is the next step that fails.
    steps = 3 + (fault == "ended")
    told, restarts, max_reward, health = apart(_crash, tmp_path, knobs, steps)
    assert [bool(info) for _, _, info in told] == [True] * (steps - 1) + [False]
    assert told[-1] == (0, True, {})
    assert (restarts, max_reward, health) == (1, 365, [45, 45, 45])
    assert len(launches(tmp_path)) == 2
    assert gone(launches(tmp_path))


def _late(folder):
    with smac(folder, late_units=2, log_requests=True) as env:
        env.reset()
        return len(env.agents), len(env.enemies), env.max_reward


def test_smac_waits_for_late_units_and_counts_enemies_again_each_time(apart, tmp_path):
    """SMAC's own fault: what it divides rewards by is then larger."""
    assert apart(_late, tmp_path) == (3, 3, 365 + 2 * 90)
    assert requests(tmp_path).count("step count: 1") == 2


def _refused(folder):
    from pysc2.lib.remote_controller import RequestError

    with smac(folder, fault="no_map") as env:
        try:
            env.reset()
        except RequestError as error:
            return str(error)


def test_the_map_can_be_refused(apart, tmp_path):
    assert "InvalidMapPath" in apart(_refused, tmp_path)
    assert gone(launches(tmp_path))
