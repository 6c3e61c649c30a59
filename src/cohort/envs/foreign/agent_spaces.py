"""One agent's place in a team: its spaces in the form that all agents share."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from cohort.envs.foreign.pictures import AS_THEY_COME, PictureSettings, is_picture, shrunk
from cohort.errors import UserError

MASK = "action_mask"
MOST_COMBINATIONS = 1024  # of a MultiDiscrete action's parts


class AgentSpaces:
    """Turns what one agent observes into flat numbers, and what the team's policy chose into its action.

    Bytes stay bytes; a picture is made as small as the settings want it.

    Discrete actions are numbered from 0, MultiDiscrete ones by their combinations.
    Continuous ones lie in [-1, 1] and are stretched to the space's bounds.

    Attributes:
        name: what the game calls the agent.
        obs_dim: numbers that it observes.
        picture: height, width and channels of what it observes, where that is a picture; else None.
        n_actions: its discrete actions; 0 where they are continuous.
        action_dim: numbers of its continuous action; 0 where they are discrete.
    """

    def __init__(
        self,
        agent: str,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        pictures: PictureSettings = AS_THEY_COME,
    ) -> None:
        """Raises `UserError` for spaces that have no such form."""
        self.name = agent
        if isinstance(observation_space, spaces.Dict) and "observation" in observation_space.spaces:
            observation_space = observation_space["observation"]
        self._space = observation_space
        try:
            self.obs_dim = spaces.flatdim(observation_space)
        except (NotImplementedError, ValueError) as error:
            raise UserError(
                f"{agent} observes {observation_space}, which has no fixed number of values"
            ) from error
        box = isinstance(observation_space, spaces.Box)
        self.picture, self._pictures = None, pictures
        if box and is_picture(observation_space.shape, observation_space.dtype):
            self.picture = shrunk(np.zeros(observation_space.shape, np.uint8), pictures).shape
            self.obs_dim = int(np.prod(self.picture))
        self._flatten = (
            (lambda seen: np.asarray(seen).reshape(-1))
            if box
            else (lambda seen: spaces.flatten(observation_space, seen).astype(np.float32))
        )
        self.n_actions = self.action_dim = 0
        self._parts: spaces.MultiDiscrete | None = None
        if isinstance(action_space, spaces.Discrete):
            self.n_actions, self._first = int(action_space.n), int(action_space.start)
        elif isinstance(action_space, spaces.MultiDiscrete):
            self._number(agent, action_space)
        elif isinstance(action_space, spaces.Box):
            self._stretch(agent, action_space)
        else:
            raise UserError(
                f"{agent} acts in {action_space}; only Discrete, MultiDiscrete and Box can be chosen from"
            )

    def _number(self, agent: str, space: spaces.MultiDiscrete) -> None:
        """One number for every combination; the last part changes fastest."""
        combinations = math.prod(map(int, space.nvec.flat))
        if combinations > MOST_COMBINATIONS:
            raise UserError(
                f"{agent} acts in {space}, which has {combinations} combinations; at most {MOST_COMBINATIONS} can be "
                "chosen from"
            )
        self.n_actions, self._parts = combinations, space

    def _stretch(self, agent: str, space: spaces.Box) -> None:
        if not space.is_bounded():
            raise UserError(f"{agent} acts in {space}, which has no bounds to stretch [-1, 1] to")
        self.action_dim, self._shape, self._dtype = int(np.prod(space.shape)), space.shape, space.dtype
        low, high = (bound.reshape(-1).astype(np.float64) for bound in (space.low, space.high))
        self._low, self._high, self._centre, self._half = low, high, (low + high) / 2, (high - low) / 2

    def observe(self, seen: Any) -> np.ndarray:
        """What the agent observes, flat: [obs_dim], uint8 where the space is bytes."""
        if type(seen) is dict and "observation" in seen:
            seen = seen["observation"]
        if self.picture:
            return shrunk(np.asarray(seen), self._pictures).reshape(-1)
        return self._flatten(seen)

    def act(self, chosen: np.ndarray) -> Any:
        """The agent's action in its own space, from a number or from [U] floats in [-1, 1]."""
        if self._parts is not None:
            sizes = self._parts.nvec
            parts = np.reshape(np.unravel_index(int(chosen), tuple(sizes.flat)), sizes.shape)
            return (self._parts.start + parts).astype(self._parts.dtype)
        if self.n_actions:
            return self._first + int(chosen)
        action = self._centre + self._half * chosen[: self.action_dim]
        return np.clip(action, self._low, self._high).astype(self._dtype).reshape(self._shape)


def mask_of(seen: Any, info: Any) -> np.ndarray | None:
    """The agent's mask of available actions, wherever its environment puts it; None where it has none."""
    for place in (seen, info):
        if isinstance(place, Mapping) and MASK in place:
            return np.asarray(place[MASK], dtype=bool)
    return None
