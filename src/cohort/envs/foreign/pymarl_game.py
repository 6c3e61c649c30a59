"""A game with PyMARL's own interface (`MultiAgentEnv`, arXiv:1902.04043) inside its worker process."""

import importlib
import inspect
import random
from typing import Any

import numpy as np

from cohort.envs.foreign.settings import PymarlSettings
from cohort.envs.workers.game import Game, GameLost, GameObservation, GameSpec, GameStep
from cohort.errors import UserError

_METHODS = ("reset", "step", "get_obs", "get_state", "get_avail_actions")
_FACTS = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
_CUT = "episode_limit"  # in a step's info: the game was over only because its time was
_SEEDS = 2**31  # what every library's generators take


class PymarlGame(Game):
    """Any class with PyMARL's methods; `step` returns PyMARL's three values or EPyMARL's five.

    An episode is truncated where `info["episode_limit"]` says so and, where it says nothing, at the game's own limit.
    Sizes and the limit are what `get_env_info` says. SMAClite has no such method: its sizes are those of what it shows
    at first. Gymnasium's wrappers, which pass none of these methods on, are taken off.
    """

    def __init__(self, settings: PymarlSettings) -> None:
        """Make the game and begin it once, to see whether it shows what it promises."""
        self._settings = settings
        self._env = _made(settings)
        self._takes_seed = {name: _takes_seed(getattr(self._env, name, None)) for name in ("reset", "seed")}
        self._begin(seed=0)
        n_agents, n_actions, obs_dim, state_dim, self._own_limit = self._facts()
        self.spec = GameSpec(
            n_agents=n_agents,
            n_actions=n_actions,
            obs_dim=obs_dim,
            state_dim=n_agents * obs_dim if settings.obs_instead_of_state else state_dim,
            episode_limit=settings.limit(self._own_limit),
            info_keys=settings.info_keys,
        )
        self._sight()  # is refused where it is not as it was promised

    def _facts(self) -> tuple[int, int, int, int, int | None]:
        """Agents, actions, sizes of an observation and of the state, and its own limit."""
        env = self._env
        if not callable(getattr(env, "get_env_info", None)):
            obs, masks = env.get_obs(), env.get_avail_actions()
            state_dim = 0 if self._settings.obs_instead_of_state else np.size(env.get_state())
            return len(obs), len(masks[0]), np.size(obs[0]), state_dim, None
        facts = env.get_env_info()
        if missing := [name for name in _FACTS if name not in facts]:
            raise UserError(
                f"{self._settings.entry_point}: get_env_info() does not give {', '.join(missing)}"
            )
        return tuple(int(np.prod(facts[name])) for name in _FACTS)

    def reset(self, seed: int) -> GameObservation:
        self._begin(seed)
        return self._sight()

    def _begin(self, seed: int) -> None:
        seed %= _SEEDS
        random.seed(seed)  # games that draw from the process's generators repeat themselves, too
        np.random.seed(seed)  # noqa: NPY002
        if self._takes_seed["seed"]:
            self._env.seed(seed)
        self._env.reset(**({"seed": seed} if self._takes_seed["reset"] else {}))
        self._steps = 0

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


def _made(settings: PymarlSettings) -> Any:
    entry_point = settings.entry_point
    try:
        made = _class(entry_point)(**settings.kwargs)
    except ModuleNotFoundError as error:
        said = str(error).partition(". ")[0]  # Gymnasium goes on with advice on its own registry
        raise UserError(f"env_args.entry_point = {entry_point!r}, env_args.kwargs: {said}") from error
    for env in (made, getattr(made, "unwrapped", made)):
        missing = [name for name in _METHODS if not callable(getattr(env, name, None))]
        if not missing:
            return env
    raise UserError(f"{entry_point} has no method {', '.join(missing)}")


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
