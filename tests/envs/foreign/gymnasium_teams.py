"""A small multi-agent environment that registers itself with Gymnasium, with one entry per agent as gymma wants it."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple


class Gather(gymnasium.Env):
    """Two agents on a line of `size` places; each is paid for the place it stands on.

    Agent 0 sees where both are, agent 1 only where it is itself. It ends when both stand on the last place.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012

    def __init__(self, size: int = 4, flags: str = "each", as_lists: bool = False, render_mode=None) -> None:
        """`flags`: whether `terminated` is one flag or one for `each` agent; `as_lists`: the spaces are lists."""
        self.size, self.flags, self.render_mode = size, flags, render_mode
        observed, acted = [Box(0, size, (2,)), Box(0, size, (1,))], [Discrete(3), Discrete(2)]
        self.observation_space = observed if as_lists else Tuple(observed)
        self.action_space = acted if as_lists else Tuple(acted)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.places = self.np_random.integers(self.size - 1, size=2)
        return self._seen(), {}

    def step(self, actions):
        assert len(actions) == 2
        assert all(isinstance(action, int) for action in actions)
        self.places = np.clip(self.places + np.array(actions), 0, self.size - 1)
        done = self.places == self.size - 1
        terminated = bool(done.all()) if self.flags == "one" else done.tolist()
        rewards = [float(place) for place in self.places]
        info = {"reached": float(done.sum()), "place": self.places.tolist()}
        return self._seen(), rewards, terminated, [False, False], info

    def _seen(self):
        return (self.places.astype(np.float32), self.places[1:].astype(np.float32))

    def render(self):
        return np.full((4, 6, 3), int(self.places[0]), dtype=np.uint8)


class ShortGather(Gather):
    """Says `terminated` after `max_steps`, and knows no other word for it."""

    def __init__(self, max_steps: int = 6, **more) -> None:
        super().__init__(flags="one", **more)
        self.max_steps = max_steps

    def reset(self, **more):
        self.steps = 0
        return super().reset(**more)

    def step(self, actions):
        self.steps += 1
        seen, rewards, terminated, _, info = super().step(actions)
        return seen, rewards, terminated or self.steps >= self.max_steps, False, info


gymnasium.register("ShortGather-v0", entry_point=ShortGather)
gymnasium.register("Gather-v0", entry_point=Gather)
gymnasium.register("GatherLimited-v0", entry_point=Gather, max_episode_steps=7)
