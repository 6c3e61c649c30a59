"""`StarCraft2Game` over a made-up smac: what it does with what smac says. Runs without smac."""

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cohort.envs.sc2.settings import StarCraft2Settings
from cohort.envs.workers.game import GameLost

NAME = "cohort.envs.sc2.game"
BUILD = 75689


class MadeUpSmac:
    """smac's interface with two agents and one enemy; class attributes say what will happen."""

    built: list["MadeUpSmac"]
    outcomes: list  # of the steps to come: (reward, terminated, info), or an exception that smac would catch
    fails_to_reset: bool

    def __init__(self, seed=None, **arguments):
        self.seed, self.arguments, self.closed, self.resets, self.steps = seed, arguments, 0, 0, 0
        self.replay_dir = self.replay_prefix = ""
        MadeUpSmac.built.append(self)

    def get_env_info(self):
        size = 4 + self.arguments["obs_timestep_number"]
        return {"n_agents": 2, "n_actions": 7, "obs_shape": size, "state_shape": 5, "episode_limit": 9}

    def reset(self):
        self.resets += 1
        if MadeUpSmac.fails_to_reset:
            self._crash(ConnectionError("gone in the reset"))

    def step(self, actions):
        assert all(type(action) is int for action in actions)
        self.steps += 1
        outcome = MadeUpSmac.outcomes.pop(0)
        return self._crash(outcome) if isinstance(outcome, Exception) else outcome

    def _crash(self, error):
        try:
            raise error
        except ConnectionError:
            self.full_restart()
        return 0, True, {}

    def full_restart(self):
        raise AssertionError("smac started another process")

    def get_obs(self):
        obs = [np.arange(4, dtype=np.float32) + agent for agent in range(2)]
        time = [0.0, self.steps / 9] if self.arguments["obs_timestep_number"] else []  # as smac has it
        return [np.append(each, time) for each in obs]

    def get_state(self):
        return np.arange(5, dtype=np.float32)

    def get_avail_actions(self):
        return [[0, 1, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0]]

    def save_replay(self):
        folder = Path(self.replay_dir)
        (folder / f"{self.replay_prefix}_2026.SC2Replay").write_bytes(b"replay")

    def close(self):
        self.closed += 1


@pytest.fixture
def make(monkeypatch):
    """Builds a game from settings, over the made-up smac."""
    version = SimpleNamespace(version=SimpleNamespace(build_version=BUILD))
    levels = SimpleNamespace(DEBUG=1, INFO=0, set_verbosity=lambda level: None)
    modules = {
        "absl": {"flags": SimpleNamespace(FLAGS=SimpleNamespace()), "logging": levels},
        "pysc2": {"run_configs": SimpleNamespace(get=lambda version: globals_of(version))},
        "smac": {},
        "smac.env": {"StarCraft2Env": MadeUpSmac},
    }

    def globals_of(asked):
        assert asked in (None, "4.10")
        return version

    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    module = importlib.import_module(NAME)
    monkeypatch.setattr(MadeUpSmac, "built", [], raising=False)
    monkeypatch.setattr(MadeUpSmac, "outcomes", [], raising=False)
    monkeypatch.setattr(MadeUpSmac, "fails_to_reset", False, raising=False)
    yield lambda **settings: module.StarCraft2Game(StarCraft2Settings(**settings))
    del sys.modules[NAME]


def info(allies: int = 0, enemies: int = 0, won: bool = False, **more) -> dict:
    return {"battle_won": won, "dead_allies": allies, "dead_enemies": enemies, **more}


def actions() -> np.ndarray:
    return np.array([1, 0])


def running() -> list[MadeUpSmac]:
    return [env for env in MadeUpSmac.built if env.resets and not env.closed]


def test_spec_and_arguments_are_passed_on(make):
    game = make(map_name="MMM", move_amount=1.5, heuristic_ai=True, replay_dir="somewhere")
    assert (game.spec.n_agents, game.spec.n_actions, game.spec.obs_dim, game.spec.state_dim) == (2, 7, 4, 5)
    assert game.spec.episode_limit == 9
    game.reset(2**40 + 3)
    (env,) = running()
    assert env.seed == 3
    assert env.arguments["map_name"] == "MMM"
    assert env.arguments["move_amount"] == 1.5
    assert env.arguments["heuristic_ai"]
    assert not {"replay_dir", "launch_seconds", "reward_ader_sparse"} & set(env.arguments)


def test_battles_go_on_in_one_process(make):
    game = make()
    MadeUpSmac.outcomes += [(1.5, False, info()), (20.0, True, info(1, 1, True)), (0, False, info())]
    sight = game.reset(1)
    assert sight.obs.dtype == np.float32
    assert sight.available_actions.tolist()[0] == [False, True, True, False, False, True, False]
    played = game.step(actions())
    assert (played.reward, played.terminated, played.truncated) == (1.5, False, False)
    played = game.step(actions())
    assert (played.reward, played.terminated, played.truncated) == (20.0, True, False)
    assert played.info == info(1, 1, True)
    game.reset(2)
    game.step(actions())
    (env,) = running()
    assert env.resets == 2
    assert env.seed == 1


def test_a_lost_battle_throws_smacs_environment_away(make):
    game = make()
    MadeUpSmac.outcomes += [(0, True, info()), ConnectionError("gone"), (2.0, True, info())]
    game.reset(1)
    game.step(actions())
    game.reset(2)
    with pytest.raises(GameLost, match="gone"):
        game.step(actions())
    assert not running()
    assert game.save_replay(".", "game0") is None
    game.reset(3)
    (env,) = running()
    assert env.seed == 3
    assert game.step(actions()).reward == 2.0


def test_a_battle_lost_in_the_reset_is_reported(make):
    game = make()
    MadeUpSmac.fails_to_reset = True
    with pytest.raises(GameLost, match="gone in the reset"):
        game.reset(1)
    assert not running()


def test_a_first_battle_that_is_not_played_to_its_end_is_begun_in_a_new_process(make):
    """smac would launch a second process beside the first one and count the enemies' health twice."""
    game = make()
    MadeUpSmac.outcomes += [(0, False, info()), (0, True, info()), (0, False, info())]
    game.reset(1)
    game.step(actions())
    game.reset(2)
    (env,) = running()
    assert (env.seed, env.resets) == (2, 1)
    game.step(actions())
    game.reset(3)
    game.step(actions())
    game.reset(4)
    assert running() == [env]


def test_only_a_continuing_episode_is_truncated(make):
    game = make(continuing_episode=True)
    MadeUpSmac.outcomes += [(0, True, info(episode_limit=True)), (0, True, info(2))]
    game.reset(1)
    played = game.step(actions())
    assert (played.terminated, played.truncated) == (False, True)
    game.reset(2)
    played = game.step(actions())
    assert (played.terminated, played.truncated) == (True, False)


def test_the_feature_that_smac_never_fills_is_left_out(make):
    game = make(obs_timestep_number=True)
    MadeUpSmac.outcomes += [(0, False, info())]
    game.reset(1)
    played = game.step(actions())
    assert game.spec.obs_dim == 5
    assert np.allclose(played.sight.obs, [[0, 1, 2, 3, 1 / 9], [1, 2, 3, 4, 1 / 9]])
    assert np.array_equal(played.sight.state, np.arange(5))


def test_observations_can_be_the_state(make):
    game = make(obs_timestep_number=True, obs_instead_of_state=True)
    assert np.allclose(game.reset(1).state, [0, 1, 2, 3, 0, 1, 2, 3, 4, 0])


def test_aders_reward(make):
    """-0.1 per step, +10 per enemy killed, -1 per ally lost, +200 for a win; each death once, each battle anew."""
    game = make(reward_ader_sparse=True)
    steps = [info(), info(1, 2), info(1, 2), info(2, 3, True)]
    rewards = [-0.1, 18.9, -0.1, 208.9]
    for battle in range(2):
        game.reset(battle)
        MadeUpSmac.outcomes += [(7.0, step["battle_won"], step) for step in steps]
        assert np.allclose([game.step(actions()).reward for _ in steps], rewards)


def test_facts_and_replays(make, tmp_path):
    game = make(game_version="4.10", replay_prefix="final")
    assert game.facts()["sc2_base_build"] == BUILD
    assert game.save_replay(str(tmp_path), "game2") is None
    game.reset(1)
    assert game.save_replay(str(tmp_path), "game2") == str(tmp_path / "final_game2_2026.SC2Replay")
    (tmp_path / "kept").mkdir()
    game = make(map_name="3m", replay_dir=str(tmp_path / "kept"))
    game.reset(1)
    assert game.save_replay(str(tmp_path), "game0") == str(tmp_path / "kept" / "3m_game0_2026.SC2Replay")
