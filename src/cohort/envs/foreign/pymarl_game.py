"""A game with PyMARL's own interface (`MultiAgentEnv`, arXiv:1902.04043) inside its worker process."""

import importlib
import inspect
import random
from typing import Any

import numpy as np

from cohort.envs.foreign.settings import PymarlSettings
from cohort.envs.workers.game import Game, GameLost, GameObservation, GameSpec, GameStep
from cohort.errors import UserError

_METHODS = ("reset", "step", "get_obs", "get_state", "get_avail_actions", "get_env_info")
_FACTS = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
_CUT = "episode_limit"  # in a step's info: the game was over only because its time was
_SEEDS = 2**31  # what every library's generators take


class PymarlGame(Game):
    """Any class with PyMARL's methods; `step` returns PyMARL's three values or EPyMARL's five.

    An episode is truncated where `info["episode_limit"]` says so and, where it says nothing, at the game's own limit.
    """

    def __init__(self, settings: PymarlSettings) -> None:
        """Make the game and begin it once, to see whether it shows what it promises."""
        self._settings = settings
        self._env = _class(settings.entry_point)(**settings.kwargs)
        if missing := [name for name in _METHODS if not callable(getattr(self._env, name, None))]:
            raise UserError(f"{settings.entry_point} has no method {', '.join(missing)}")
        facts = self._env.get_env_info()
        if missing := [name for name in _FACTS if name not in facts]:
            raise UserError(f"{settings.entry_point}: get_env_info() does not give {', '.join(missing)}")
        n_agents, n_actions, obs_dim, state_dim, self._own_limit = (
            int(np.prod(facts[name])) for name in _FACTS
        )
        self._takes_seed = {name: _takes_seed(getattr(self._env, name, None)) for name in ("reset", "seed")}
        self.spec = GameSpec(
            n_agents=n_agents,
            n_actions=n_actions,
            obs_dim=obs_dim,
            state_dim=n_agents * obs_dim if settings.obs_instead_of_state else state_dim,
            episode_limit=settings.time_limit or self._own_limit,
            info_keys=settings.info_keys,
        )
        self.reset(seed=0)

    def reset(self, seed: int) -> GameObservation:
        seed %= _SEEDS
        random.seed(seed)  # games that draw from the process's generators repeat themselves, too
        np.random.seed(seed)  # noqa: NPY002
        if self._takes_seed["seed"]:
            self._env.seed(seed)
        self._env.reset(**({"seed": seed} if self._takes_seed["reset"] else {}))
        self._steps = 0
        return self._sight()

    def step(self, actions: np.ndarray) -> GameStep:
        if not self._available[np.arange(self.spec.n_agents), actions].all():
            raise ValueError(f"actions {actions.tolist()} are not all available")
        played = self._env.step([int(action) for action in actions])
        if len(played) not in (3, 5):
            raise UserError(f"step returned {len(played)} values, where PyMARL's has 3 and EPyMARL's 5")
        reward, terminated, truncated, info = (
            (played[0], played[1], False, played[2]) if len(played) == 3 else played[1:]
        )
        if np.size(reward) != 1:
            raise UserError(f"step returned {np.size(reward)} rewards; the team's is one number")
        self._steps += 1
        cut = bool(truncated) or bool(info.get(_CUT, self._steps == self._own_limit))
        told = {key: float(info.get(key, 0.0)) for key in self.spec.info_keys}
        return GameStep(
            self._sight(),
            float(np.reshape(reward, ())),
            bool(terminated) and not cut,
            cut or self._steps >= self.spec.episode_limit,
            told,
        )

    def _sight(self) -> GameObservation:
        spec = self.spec
        obs = self._shaped(
            "get_obs", self._env.get_obs(), "n_agents, obs_shape", (spec.n_agents, spec.obs_dim)
        )
        available = self._shaped(
            "get_avail_actions",
            self._env.get_avail_actions(),
            "n_agents, n_actions",
            (spec.n_agents, spec.n_actions),
        )
        self._available = available.astype(bool)
        if not self._available.any(axis=1).all():
            raise GameLost("an agent has no available action")
        if self._settings.obs_instead_of_state:
            return GameObservation(obs, obs.reshape(-1), self._available)
        state = self._shaped("get_state", [self._env.get_state()], "state_shape", (1, spec.state_dim))
        return GameObservation(obs, state[0], self._available)

    def _shaped(self, method: str, rows: Any, promised: str, shape: tuple[int, int]) -> np.ndarray:
        rows = [np.asarray(row, dtype=np.float32).reshape(-1) for row in rows]
        if len(rows) != shape[0] or any(row.size != shape[1] for row in rows):
            raise UserError(
                f"{self._settings.entry_point}: {method}() gives rows of {[row.size for row in rows]} values, where "
                f"get_env_info() has {shape[0]} of {shape[1]} ({promised})"
            )
        return np.stack(rows)

    def close(self) -> None:
        if callable(getattr(self._env, "close", None)):
            self._env.close()


def _class(entry_point: str) -> Any:
    name, _, attribute = entry_point.partition(":")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"env_args.entry_point = {entry_point!r}: {error}") from error
    if not callable(getattr(module, attribute, None)):
        raise UserError(f"env_args.entry_point = {entry_point!r}: the module {name} has no class {attribute}")
    return getattr(module, attribute)


def _takes_seed(method: Any) -> bool:
    return callable(method) and "seed" in inspect.signature(method).parameters
