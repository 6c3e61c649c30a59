"""One battle of the real game inside its worker process. The only module that imports smac.

Import it with PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python: smac's messages do not load otherwise beside a current
protobuf.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from absl import flags, logging
from pysc2 import run_configs
from smac.env import StarCraft2Env

from cohort.envs.sc2.settings import StarCraft2Settings
from cohort.envs.smac_settings import ADER_REWARDS
from cohort.envs.workers.game import Game, GameLost, GameObservation, GameSpec, GameStep


class _Env(StarCraft2Env):
    """smac's environment, but for one thing: a lost game is reported instead of started anew.

    Everything smac does about a process that died or answers with an error goes through `full_restart`: an episode
    that ends with an empty info, a rewards' scale that counts the enemies twice, unit tags of the old process.
    """

    def full_restart(self) -> None:
        raise GameLost(f"StarCraft II broke off: {sys.exception()}") from None


class StarCraft2Game(Game):
    """smac's battles one after another in one StarCraft II process, which is launched by the first `reset`.

    Departs from smac in: with `obs_timestep_number`, the feature before the time, which smac reserves and never
    fills, is left out; observations are then as long as smac says they are.
    """

    def __init__(self, settings: StarCraft2Settings) -> None:
        """Nothing is launched yet."""
        flags.FLAGS.sc2_timeout = settings.launch_seconds
        logging.set_verbosity(logging.DEBUG if settings.debug else logging.INFO)
        self.settings = settings
        self._env: _Env | None = None
        self._battles = 0  # that came to their end since the launch
        self._dead = (0, 0)  # allies, enemies
        self.spec = self._spec()

    def _spec(self) -> GameSpec:
        sizes = _Env(**self.settings.smac_arguments()).get_env_info()
        return GameSpec(
            n_agents=sizes["n_agents"],
            n_actions=sizes["n_actions"],
            obs_dim=sizes["obs_shape"],
            state_dim=sizes["state_shape"],
            episode_limit=sizes["episode_limit"],
            info_keys=("battle_won", "dead_allies", "dead_enemies"),
        )

    def reset(self, seed: int) -> GameObservation:
        """Begin a battle, in a new process if the last one broke off. Only a launch makes use of `seed`."""
        if self._env is not None and self._battles == 0:
            self.close()  # until a first battle has ended, smac's reset would launch a second process
        if self._env is None:
            self._env = _Env(**self.settings.smac_arguments(), seed=seed % 2**32)
        self._dead = (0, 0)
        self._guarded(self._env.reset)
        return self._sight()

    def step(self, actions: np.ndarray) -> GameStep:
        reward, over, info = self._guarded(self._env.step, actions.tolist())
        if self.settings.reward_ader_sparse:
            reward = self._ader(info)
        self._battles += over
        truncated = over and bool(info.get("episode_limit"))  # smac says so with continuing_episode only
        return GameStep(self._sight(), reward, over and not truncated, truncated, info)

    def _guarded(self, play, *arguments):
        """Call smac; after a lost game its environment is thrown away, with all it remembers of the process."""
        try:
            return play(*arguments)
        except GameLost:
            self.close()
            raise

    def _ader(self, info: dict) -> float:
        each_step, enemy, ally, win = ADER_REWARDS
        before, self._dead = self._dead, (info["dead_allies"], info["dead_enemies"])
        lost, killed = self._dead[0] - before[0], self._dead[1] - before[1]
        return each_step + enemy * killed + ally * lost + win * info["battle_won"]

    def _sight(self) -> GameObservation:
        obs = np.array(self._env.get_obs(), dtype=np.float32)
        if self.settings.obs_timestep_number:
            obs = np.delete(obs, -2, axis=1)
        state = obs.ravel() if self.settings.obs_instead_of_state else self._env.get_state()
        return GameObservation(obs, state, np.array(self._env.get_avail_actions(), dtype=bool))

    def facts(self) -> dict[str, str | int]:
        """Which game this is: results of two of StarCraft II's versions do not compare."""
        installed = run_configs.get(version=self.settings.game_version).version
        return {"sc2_base_build": installed.build_version, "smac": _version_of_smac()}

    def save_replay(self, folder: str, name: str) -> str | None:
        """The replay of all battles since the launch."""
        if self._env is None:
            return None
        settings, env = self.settings, self._env
        target = Path(settings.replay_dir).expanduser().absolute() if settings.replay_dir else Path(folder)
        env.replay_dir = str(target)
        env.replay_prefix = f"{settings.replay_prefix or settings.map_name}_{name}"
        env.save_replay()
        return str(
            max(target.glob(f"{env.replay_prefix}_*.SC2Replay"), key=lambda file: file.stat().st_mtime_ns)
        )

    def close(self) -> None:
        """End the process."""
        env, self._env, self._battles = self._env, None, 0
        if env is not None:
            env.close()


def _version_of_smac() -> str:
    try:
        return version("smac")
    except PackageNotFoundError:  # put on the path by hand
        return "unknown"
