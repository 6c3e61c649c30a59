"""PettingZoo's Multi-Walker inside its worker process. The only module that imports it."""

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo.sisl import multiwalker_v9
from pettingzoo.utils.wrappers import BaseParallelWrapper

from cohort.envs.foreign.pettingzoo_game import PettingZooGame, without_checks
from cohort.envs.foreign.settings import MultiWalkerSettings

_OWN_LIMIT = 500  # its default
_NEVER = 2**31  # at its max_cycles the environment says that all is over, where it is only cut


class MultiWalkerGame(PettingZooGame):
    """Walkers with two legs that carry a package; `time_limit` truncates, a fall or a dropped package terminates."""

    settings: MultiWalkerSettings

    def open_env(self, render_mode: str | None) -> Any:
        settings = self.settings
        env = multiwalker_v9.parallel_env(
            n_walkers=settings.n_walkers,
            shared_reward=False,
            max_cycles=_NEVER,
            render_mode=render_mode,
            **settings.kwargs,
        )
        env = Falls(without_checks(env))
        return SignSteps(env, settings.action_step) if settings.discrete_actions else env

    def own_limit(self) -> int:
        return _OWN_LIMIT


class Falls(BaseParallelWrapper):
    """Tells in everybody's info whether anybody, or the package, has fallen: `fell` is 1, else 0."""

    def step(self, actions: dict[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        *moment, infos = super().step(actions)
        world = self.unwrapped.env
        fell = float(world.game_over or world.fallen_walkers.any())
        return *moment, {agent: info | {"fell": fell} for agent, info in infos.items()}


class SignSteps(BaseParallelWrapper):
    """Discrete actions for an environment of continuous ones in [-1, 1]^U: each is a pattern of U signs.

    a_t = clip(a_(t-1) + step * signs, -1, 1), with a_(-1) = 0 at every episode's start (MAMT's wrapper, ICLR 2022).
    Action k lifts number u where bit u of k is set, and lowers it where not. What agents see does not hold a.
    """

    def __init__(self, env: Any, step: float) -> None:
        super().__init__(env)
        self._step = step
        self._signs = {}
        for agent in self.possible_agents:
            (size,) = env.action_space(agent).shape
            bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
            self._signs[agent] = 2.0 * bits - 1.0  # [2^U, U]

    def action_space(self, agent: str) -> spaces.Space:
        return spaces.Discrete(len(self._signs[agent]))

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        self._now = {agent: np.zeros_like(signs[0]) for agent, signs in self._signs.items()}
        return super().reset(seed, options)

    def step(self, actions: dict[str, int]) -> tuple[dict, dict, dict, dict, dict]:
        for agent, action in actions.items():
            moved = self._now[agent] + self._step * self._signs[agent][action]
            self._now[agent] = moved.clip(-1.0, 1.0)
        return super().step({agent: self._now[agent].astype(np.float32) for agent in actions})
