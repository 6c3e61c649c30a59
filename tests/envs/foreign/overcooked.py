"""Overcooked-AI (arXiv:1910.05789) with one entry per agent, as `--env-config=gymnasium` wants it."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple


class Overcooked(gymnasium.Env):
    """Two cooks in one kitchen; both see its lossless encoding from their own side; whoever serves a soup is paid."""

    def __init__(self, layout: str = "cramped_room", horizon: int = 400) -> None:
        # not its OvercookedEnv, which NumPy 2 does not import
        from overcooked_ai_py.mdp.actions import Action
        from overcooked_ai_py.mdp.overcooked_mdp import OvercookedGridworld

        self._actions = Action.ALL_ACTIONS
        self._kitchen = OvercookedGridworld.from_layout_name(layout)
        self.max_steps = horizon
        self._begin()
        size = self._seen()[0].size
        self.observation_space = Tuple([Box(0, np.inf, (size,), np.float32)] * 2)
        self.action_space = Tuple([Discrete(len(self._actions))] * 2)

    def _begin(self):
        self._now, self._steps = self._kitchen.get_standard_start_state(), 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._begin()
        return self._seen(), {}

    def step(self, actions):
        chosen = [self._actions[action] for action in actions]
        self._now, told = self._kitchen.get_state_transition(self._now, chosen)
        self._steps += 1
        return self._seen(), told["sparse_reward_by_agent"], False, self._steps >= self.max_steps, {}

    def _seen(self):
        encodings = self._kitchen.lossless_state_encoding(self._now, self.max_steps)
        return tuple(np.asarray(each, dtype=np.float32).reshape(-1) for each in encodings)


gymnasium.register("Overcooked-v0", entry_point=Overcooked)
