"""A small game of pictures."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple

SIDE = 8  # pixels


class Lamps(gymnasium.Env):
    """Each of two agents sees its own dark picture with one bright pixel and says in which quarter it is.

    Right answers pay 1. In a picture the first channel is the lamp, the second the time, the third nothing.
    """

    def __init__(self, steps: int = 6) -> None:
        self.max_steps = steps
        self.observation_space = Tuple([Box(0, 255, (SIDE, SIDE, 3), np.uint8)] * 2)
        self.action_space = Tuple([Discrete(4)] * 2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self._seen(), {}

    def step(self, actions):
        right = [int(action) == quarter for action, quarter in zip(actions, self.quarters, strict=True)]
        self.t += 1
        return self._seen(), [float(each) for each in right], False, self.t >= self.max_steps, {}

    def _seen(self):
        places = self.np_random.integers(SIDE, size=(2, 2))
        self.quarters = [int(2 * (row >= SIDE // 2) + (column >= SIDE // 2)) for row, column in places]
        pictures = np.zeros((2, SIDE, SIDE, 3), dtype=np.uint8)
        pictures[..., 1] = 10 * self.t
        for picture, (row, column) in zip(pictures, places, strict=True):
            picture[row, column, 0] = 255
        return tuple(pictures)


gymnasium.register("Lamps-v0", entry_point=Lamps)
