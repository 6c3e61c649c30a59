"""PettingZoo's parallel interface, as `TeamGame` wants it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cohort.envs.foreign.agent_spaces import AgentSpaces
from cohort.envs.foreign.pictures import is_picture, shrunk
from cohort.envs.foreign.team import Facts, Moment, TeamGame, how_it_ended
from cohort.errors import UserError

_GONE: dict[str, Any] = {}


class ParallelGame(TeamGame):
    """A game whose observations, actions and rewards are dictionaries with the agents' names."""

    def open_env(self, render_mode: str | None) -> Any:
        """Make the environment."""
        raise NotImplementedError

    def own_limit(self) -> int | None:
        """The environment's own limit of steps, if it says so."""
        raise NotImplementedError

    def open_game(self, render_mode: str | None) -> Facts:
        self.env = self.open_env(render_mode)
        self.agents = list(self.env.possible_agents)
        seats = [
            AgentSpaces(agent, self.env.observation_space(agent), self.env.action_space(agent), self.pictures)
            for agent in self.agents
        ]
        state = self._first_state()
        if state is None:
            return Facts(seats, self.own_limit(), None)
        return Facts(seats, self.own_limit(), state.size, state_in_bytes=state.dtype == np.uint8)

    def _first_state(self) -> np.ndarray | None:
        if self.settings.obs_instead_of_state:
            return None
        own = getattr(self.env.unwrapped, "state", None)
        if own is not None and not callable(own):  # rps_v2 keeps its agents' moves there
            raise _without_state(f"is a {type(own).__name__}, not a method")
        self.env.reset(seed=0)
        try:
            return self._read_state()
        except (NotImplementedError, AttributeError):
            return None
        except Exception as error:  # whatever the game raises
            raise _without_state(_raised(error)) from error

    def begin(self, seed: int) -> Moment:
        seen, infos = self.env.reset(seed=seed)
        return self._moment(seen, infos, {})

    def play(self, actions: list[Any]) -> Moment:
        playing = set(self.env.agents)
        chosen = {
            agent: action for agent, action in zip(self.agents, actions, strict=True) if agent in playing
        }
        seen, rewards, terminated, truncated, infos = self.env.step(chosen)
        moment = self._moment(seen, infos, rewards)
        if self.env.agents and not all(terminated.get(a) or truncated.get(a) for a in self.env.agents):
            return moment
        last = [agent for agent in self.agents if agent in terminated]
        ended, cut = how_it_ended(
            [terminated[agent] for agent in last], [truncated.get(agent, False) for agent in last]
        )
        return moment._replace(terminated=ended, truncated=cut)

    def _moment(self, seen: Mapping, infos: Mapping, rewards: Mapping) -> Moment:
        # at an episode's end nobody plays any more, and the last observations are the ones to bootstrap from
        playing = set(self.env.agents or self.agents)
        return Moment(
            seen=[seen.get(agent) if agent in playing else None for agent in self.agents],
            infos=[infos.get(agent, _GONE) for agent in self.agents],
            rewards=[rewards.get(agent, 0.0) for agent in self.agents],
        )

    def state(self) -> np.ndarray:
        try:
            state = self._read_state()
        except Exception as error:  # whatever the game raises
            raise _without_state(_raised(error)) from error
        if state.size != self.spec.state_dim:
            raise _without_state(f"has {state.size} values, and had {self.spec.state_dim} at first")
        return state

    def _read_state(self) -> np.ndarray:
        state = np.asarray(self.env.state())
        if is_picture(state.shape, state.dtype):
            return shrunk(state, self.pictures).reshape(-1)
        return (state / 255 if state.dtype == np.uint8 else state).reshape(-1)


def _without_state(why: str) -> UserError:
    return UserError(
        f"the game's state {why}: type env_args.obs_instead_of_state=True, and the state is all observations in a row"
    )


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__} ({error})"
