"""Overcooked-AI (arXiv:1910.05789) with one entry per agent, as `--env-config=gymnasium` wants it."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple


class Overcooked(gymnasium.Env):
    """Two cooks in one kitchen; both see its lossless encoding from their own side, and share the reward."""

    def __init__(self, layout: str = "cramped_room", horizon: int = 400) -> None:
        from overcooked_ai_py.mdp.actions import Action
        from overcooked_ai_py.mdp.overcooked_env import OvercookedEnv
        from overcooked_ai_py.mdp.overcooked_mdp import OvercookedGridworld

        self._actions = Action.ALL_ACTIONS
        self._kitchen = OvercookedGridworld.from_layout_name(layout)
        self._game = OvercookedEnv.from_mdp(self._kitchen, horizon=horizon, info_level=0)
        self.max_steps = horizon
        self._game.reset()
        size = self._seen()[0].size
        self.observation_space = Tuple([Box(0, np.inf, (size,), np.float32)] * 2)
        self.action_space = Tuple([Discrete(len(self._actions))] * 2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._game.reset()
        return self._seen(), {}

    def step(self, actions):
        _, reward, over, _ = self._game.step([self._actions[action] for action in actions])
        return self._seen(), [reward / 2, reward / 2], False, over, {}

    def _seen(self):
        encodings = self._kitchen.lossless_state_encoding(self._game.state)
        return tuple(np.asarray(each, dtype=np.float32).reshape(-1) for each in encodings)


gymnasium.register("Overcooked-v0", entry_point=Overcooked)
