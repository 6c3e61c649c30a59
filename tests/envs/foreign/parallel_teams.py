"""Small parallel environments, made to be awkward."""

import random

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from pettingzoo import ParallelEnv

LIVES = {"short": 2, "long": 5, "last": 4}  # steps that each agent stays


class Shrinking(ParallelEnv):
    """Three unequal agents that leave one after another; draws from every generator there is.

    `short` sees 2 numbers and has actions 3 and 4; `long` sees a picture of bytes; `last` has a mask beside what it
    sees, `long` has its mask in its info. An agent is paid the action it took, and one more for each agent there.
    """

    metadata = {"name": "shrinking", "render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012

    def __init__(self, cut: bool = False, has_state: bool = True, render_mode: str | None = None) -> None:
        """`cut`: `long`, the last to go, is truncated instead of terminated."""
        self.possible_agents, self.cut, self.render_mode = list(LIVES), cut, render_mode
        self.agents: list[str] = []
        self.received: list[dict] = []  # the actions of all steps
        if has_state:
            self.state = lambda: np.array([[self.t, len(self.agents), self.noise]])

    def observation_space(self, agent: str):
        if agent == "last":
            mask = Box(0, 1, (3,), np.int8)
            return Dict({"observation": Box(-1, 1, (3,), np.float64), "action_mask": mask})
        return Box(0, 255, (1, 4, 1), np.uint8) if agent == "long" else Box(-1, 1, (2,), np.float32)

    def action_space(self, agent: str):
        return {"short": Discrete(2, start=3), "long": Discrete(4), "last": Discrete(3)}[agent]

    def _seen(self) -> dict:
        seen = {
            "short": np.array([self.t, self.noise], dtype=np.float32),
            "long": np.full((1, 4, 1), 51 * self.t, dtype=np.uint8),
            "last": {
                "observation": np.array([self.t, random.random(), np.random.rand()]),  # noqa: NPY002
                "action_mask": np.array([0, 1, 1] if self.t % 2 else [1, 0, 1], dtype=np.int8),
            },
        }
        return {agent: seen[agent] for agent in self.agents}

    def _infos(self) -> dict:
        infos = {agent: {"place": float(i)} for i, agent in enumerate(LIVES)}
        infos["long"]["action_mask"] = np.array([1, 1, 0, 0] if self.t < 4 else [0, 0, 0, 0])
        return {agent: infos[agent] for agent in self.agents}

    def reset(self, seed=None, options=None):
        self.agents, self.t = list(LIVES), 0
        self.noise = float(np.random.default_rng(seed).random())
        return self._seen(), self._infos()

    def step(self, actions):
        assert set(actions) == set(self.agents), "an action for everyone who is there, and for nobody else"
        assert all(self.action_space(agent).contains(action) for agent, action in actions.items())
        self.received.append(actions)
        self.t += 1
        seen, infos = self._seen(), self._infos()
        rewards = {agent: float(actions[agent] + len(self.agents)) for agent in self.agents}
        gone = {agent: self.t >= LIVES[agent] for agent in self.agents}
        cut = {agent: gone[agent] and self.cut and agent == "long" for agent in self.agents}
        ended = {agent: gone[agent] and not cut[agent] for agent in self.agents}
        self.agents = [agent for agent in self.agents if not gone[agent]]
        return seen, rewards, ended, cut, infos

    def render(self):
        return np.full((8, 16, 3), self.t, dtype=np.uint8)


def shrinking(**kwargs):
    return Shrinking(**kwargs) if "max_cycles" not in kwargs else _Limited(**kwargs)


class _Limited(Shrinking):
    def __init__(self, max_cycles: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.max_cycles = max_cycles


def invisible():
    return Shrinking()
