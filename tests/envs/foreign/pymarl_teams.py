"""A small game with PyMARL's own interface."""

import numpy as np


class Corridor:
    """Two agents walk from place 1 or 2 to `size`; actions: stay, back, on. It ends when both have arrived.

    Nobody can go back from 0 or on from `size`. `five`: steps return EPyMARL's five values.
    """

    def __init__(self, size=4, episode_limit=6, says_limit=True, five=False, obs_shape=2) -> None:
        self.size, self.episode_limit, self.says_limit = size, episode_limit, says_limit
        self.five, self.obs_shape = five, obs_shape

    def reset(self):
        self.steps, self.places = 0, np.random.randint(1, 3, size=2)  # noqa: NPY002
        return self.get_obs(), self.get_state()

    def step(self, actions):
        available = self.get_avail_actions()
        assert all(mask[action] for mask, action in zip(available, actions, strict=True))
        self.places = self.places + np.array([0, -1, 1])[list(actions)]
        self.steps += 1
        arrived = bool((self.places == self.size).all())
        late = self.steps >= self.episode_limit and not arrived
        reward, info = float(self.places.sum()), {"furthest": int(self.places.max())}
        if self.five:
            return self.get_obs(), reward, arrived, late, info
        if self.says_limit and self.steps >= self.episode_limit:
            info["episode_limit"] = late
        return reward, arrived or late, info

    def get_obs(self):
        return [np.array([i, place], dtype=np.float32) for i, place in enumerate(self.places)]

    def get_state(self):
        return np.array([*self.places, self.steps], dtype=np.float32)

    def get_avail_actions(self):
        return [[1, int(place > 0), int(place < self.size)] for place in self.places]

    def get_env_info(self):
        return {
            "n_agents": 2,
            "n_actions": 3,
            "obs_shape": self.obs_shape,
            "state_shape": 3,
            "episode_limit": self.episode_limit,
        }


class Unspoken(Corridor):
    """Does not say what it is, as SMAClite."""

    get_env_info = None


class Wrapped:
    """What a Gymnasium wrapper shows of a game: nothing but itself."""

    def __init__(self) -> None:
        self.unwrapped = Unspoken()

    def reset(self):
        raise AssertionError("the wrapper was asked")


class Unfinished:
    """Has only some of the methods."""

    def reset(self):
        return None

    def step(self, actions):
        return None
